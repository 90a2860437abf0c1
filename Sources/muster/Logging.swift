internal import ArgumentParser
internal import DeviceKit
internal import Logging

/// Lines for people on standard error: time, level, what happened, and about what.
struct TerminalLog: LogHandler {
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        all.merge(event.metadata ?? [:]) { _, new in new }
        let device = all.removeValue(forKey: "device").map { "\($0): " } ?? ""
        let rest = all.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
        let time = SystemTime().now()
        let level = "\(event.level)"
        StandardError.write(
            "\(time) \(level)\(String(repeating: " ", count: max(0, 8 - level.count))) "
                + PlainText.escaped("\(device)\(event.message)\(rest)") + "\n")
    }

    private static func quoted(_ value: String) -> String {
        value.contains(" ") || value.isEmpty ? "\"\(value)\"" : value
    }
}

/// `--log-level`.
struct LogOption: ParsableArguments {
    enum Level: String, ExpressibleByArgument, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
    var level = Level.info

    var logger: Logger { Self.logger(level) }

    static func logger(_ level: Level) -> Logger {
        var logger = Logger(label: "muster") { _ in TerminalLog() }
        logger.logLevel = Logger.Level(rawValue: level.rawValue) ?? .info
        return logger
    }
}
