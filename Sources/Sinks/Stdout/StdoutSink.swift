public import DeviceKit

/// What `type: stdout` takes.
public struct StdoutSettings: SinkSettings, Hashable {
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// Columns for people.
        case text
        /// One JSON object a line.
        case jsonl
    }

    static let formatSetting = Setting<Format>.choice(
        "format", default: .text, "Columns for people, or one JSON object a line for programs.")

    public static let schema = SettingsSchema(formatSetting)

    let format: Format

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        format = try values.value(Self.formatSetting)
    }
}

/// Prints punches as they come. What was printed is gone: after a crash the last lines may be printed again.
public actor StdoutSink: PunchSink {
    public static let manifest = SinkManifest(
        id: "stdout", summary: "Prints punches on the standard output, for people or for a program that reads them.")

    private let format: StdoutSettings.Format
    private let output: StandardOutput
    private let executor: QueueExecutor

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public init(settings: StdoutSettings, context: SinkContext) throws(SinkFault) {
        self.init(settings: settings, context: context, output: StandardOutput())
    }

    init(settings: StdoutSettings, context: SinkContext, output: StandardOutput) {
        format = settings.format
        self.output = output
        executor = QueueExecutor(label: "muster.sink.\(context.name)")
    }

    public func open() async throws(SinkFault) {}

    public func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        var bytes: [UInt8] = []
        for journaled in batch {
            switch format {
            case .jsonl: bytes += PunchLine.bytes(journaled.punch, .jsonl)
            case .text: bytes += Array(PunchText.line(journaled.punch).utf8)
            }
        }
        try output.write(bytes)
        return .allAccepted
    }

    public func close() async {}
}

/// A punch as a line of columns.
enum PunchText {
    static func line(_ punch: Punch) -> String {
        let fields = [
            (punch.localTime.description, 19), (punch.device.name, 16), (punch.code, 9),
            (punch.record.direction.kind.rawValue, 11), (punch.record.verification.kind.rawValue, 11),
        ]
        let text = fields.map { padded(printable($0.0), to: $0.1) }.joined(separator: "  ")
        let notes = punch.notes.isEmpty ? "" : "  " + printable(punch.notes)
        return text.trimmingSpaces + notes + "\n"
    }

    /// Control characters that a device may send must not reach a terminal.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
