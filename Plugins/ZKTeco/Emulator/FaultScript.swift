public import DeviceKit

/// What goes wrong with a terminal, and when.
///
/// ```yaml
/// repeat: 2m                                    # begins anew after so long; once without it
/// faults:
///   - {at: 10s, do: drop}
///   - {at: 20s, for: 5s, do: mute}
///   - {at: 60s, for: 20s, do: wrong-checksum 2} # every second frame
/// ```
public struct FaultScript: Sendable, Hashable {
    public struct Step: Sendable, Hashable {
        /// After the start of the script.
        public var at: Duration
        public var fault: EmulatorFault
        /// `nil`: until the script begins anew, or for ever.
        public var lasting: Duration?

        public init(at: Duration, _ fault: EmulatorFault, for lasting: Duration? = nil) {
            self.at = at
            self.fault = fault
            self.lasting = lasting
        }
    }

    /// In the order of their times.
    public let steps: [Step]
    public let period: Duration?

    public init(_ steps: [Step], repeatedAfter period: Duration? = nil) {
        self.steps = steps.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(
            \.element)
        self.period = period
    }

    private static let longest = Duration.seconds(7 * 86_400)
    static let largestCount = 10_000

    static let period = Setting.duration(
        "repeat", in: .seconds(1)...longest, "The script begins anew after so long; without it, it runs once.",
        example: "2m"
    ).optional
    private static let faults = "faults"

    static let at = Setting.duration(
        "at", in: .zero...longest, "When it happens, after the start of the script.", example: "30s")
    static let fault = Setting<EmulatorFault>(
        "do", .fault, "What happens, as at the keyboard of a running emulator.", example: "wrong-checksum 2")
    static let lasting = Setting.duration(
        "for", in: .milliseconds(1)...longest, "How long it lasts; without it until the script begins anew.",
        example: "20s"
    ).optional
    static let stepSchema = SettingsSchema(at, fault, lasting)

    /// Reads a script.
    /// - Throws: ``ConfigurationError`` with everything that is wrong, each with its place.
    public init(_ root: ConfigurationNode) throws(ConfigurationError) {
        let members = try root.members()
        var report: [Diagnostic] = []
        let values = SettingsSchema(Self.period).decode(
            members, of: root, otherKeys: [Self.faults], reportingTo: &report)
        var steps: [Step] = []
        if let list = members.first(where: { $0.key == Self.faults })?.node {
            let nodes = try list.elements()
            guard nodes.count <= Self.largestCount else {
                throw list.error(
                    "has \(nodes.count) entries, at most \(Self.largestCount) are allowed", code: "too-many")
            }
            for node in nodes {
                do throws(ConfigurationError) {
                    if let step = try Self.step(node, &report) { steps.append(step) }
                } catch {
                    report += error.diagnostics
                }
            }
        } else {
            report.append(
                Diagnostic(
                    code: "missing-key", at: root.mark, path: root.path, "the key 'faults' is missing",
                    hint: "faults: [{at: 10s, do: drop}]"))
        }
        let period = try values?.value(Self.period) ?? nil
        if let period, let late = steps.first(where: { $0.at >= period }) {
            report.append(
                Diagnostic(
                    code: "conflict", at: root.mark, path: "repeat",
                    "\(late.fault) comes at \(DurationText.format(late.at)), after the script has begun anew"))
        }
        guard !report.contains(where: { $0.severity == .error }) else { throw ConfigurationError(report) }
        self.init(steps, repeatedAfter: period)
    }

    private static func step(
        _ node: ConfigurationNode, _ report: inout [Diagnostic]
    ) throws(ConfigurationError) -> Step? {
        guard let values = stepSchema.decode(node, reportingTo: &report) else { return nil }
        let step = Step(at: try values.value(at), try values.value(fault), for: try values.value(lasting))
        if step.lasting != nil, !step.fault.lasts {
            throw values.error(lasting.key, "\(step.fault.word) happens at once", hint: "take away for:")
        }
        return step
    }
}

extension SettingType where Value == EmulatorFault {
    static var fault: SettingType<EmulatorFault> {
        SettingType(
            name: "fault", schema: .object(["type": "string"]), write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a fault").text
                do throws(ControlLineError) {
                    return try EmulatorFault(parsing: text)
                } catch {
                    throw node.error(error.description, code: "wrong-form")
                }
            })
    }
}
