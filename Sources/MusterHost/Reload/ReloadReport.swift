public import DeviceKit

/// How a reload of the configuration went, as the command line and the log tell it.
public struct ReloadReport: Codable, Sendable, Hashable {
    public enum Outcome: String, Codable, Sendable, Hashable {
        /// The new configuration holds.
        case applied
        /// The files say what held already.
        case unchanged
        /// Nothing has changed: the files or a driver's or sink's settings cannot work.
        case refused
    }

    /// What asked for it.
    public enum Cause: String, Codable, Sendable, Hashable {
        case start, command, signal, files
    }

    /// One device or sink.
    public struct Item: Codable, Sendable, Hashable {
        public var name: String
        /// `added`, `removed`, `restarted`, `adjusted` or `refused`.
        public var result: String
        /// The keys that changed, or the reason of a refusal.
        public var detail: String
    }

    public var outcome: Outcome
    /// Of the configuration that holds now; 1 is what the host started with.
    public var generation: Int
    public var cause: Cause
    public var at: Instant
    /// What changed; devices and sinks that go on undisturbed are not named.
    public var devices: [Item] = []
    public var sinks: [Item] = []
    /// How many devices go on with the session that they have.
    public var untouchedDevices = 0
    /// Keys of the whole that hold from now on.
    public var adjusted: [String] = []
    /// Keys that hold only after the host was restarted.
    public var needsRestart: [String] = []
    /// Problems of the files, as `file:line:column: error: …` with the line and a caret; the most serious ones first
    /// cut at ``maximumProblemCount``.
    public var problems: [String] = []

    static let maximumProblemCount = 100

    init(_ outcome: Outcome, generation: Int, cause: Cause, at: Instant) {
        self.outcome = outcome
        self.generation = generation
        self.cause = cause
        self.at = at
    }

    mutating func describe(_ change: ConfigurationChange, deviceCount: Int) {
        devices = change.devices.map { Item($0) }
        sinks = change.sinks.map { Item($0) }
        adjusted = change.adjusted
        needsRestart = change.needsRestart
        untouchedDevices = deviceCount - change.devices.count { $0.effect != .removed }
    }

    mutating func list(_ report: DiagnosticReport) {
        let errors = report.diagnostics.filter { $0.severity == .error }
        let warnings = report.diagnostics.filter { $0.severity == .warning }
        problems = (errors + warnings).prefix(Self.maximumProblemCount).map(\.description)
    }

    /// One line for a person: `generation 3: 1 device added, 2 restarted; 1 sink adjusted`.
    public var summary: String {
        switch outcome {
        case .unchanged: return "nothing has changed, generation \(generation) goes on"
        case .refused:
            return "refused, generation \(generation) goes on: \(problems.first?.split(separator: "\n").first ?? "")"
        case .applied:
            var parts = [Self.counted(devices, "device"), Self.counted(sinks, "sink")].compactMap { $0 }
            if !adjusted.isEmpty { parts.append("\(adjusted.joined(separator: ", ")) adjusted") }
            if !needsRestart.isEmpty { parts.append("\(needsRestart.joined(separator: ", ")) after a restart") }
            return "generation \(generation): \(parts.joined(separator: "; "))"
        }
    }

    private static func counted(_ items: [Item], _ noun: String) -> String? {
        guard !items.isEmpty else { return nil }
        let words = ["added", "restarted", "adjusted", "removed"].compactMap { word -> String? in
            let count = items.count { $0.result == word }
            return count > 0 ? "\(count) \(word)" : nil
        }
        return "\(noun)s: \(words.joined(separator: ", "))"
    }
}

extension ReloadReport.Item {
    init(_ item: ConfigurationChange.Item) {
        name = item.name
        result = item.effect.word
        detail = item.effect.keys.joined(separator: ", ")
    }
}
