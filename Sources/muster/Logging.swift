public import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Logging
public import MusterHost

/// Lines on standard error, as people, programs or systemd's journal want them.
struct LineLog: LogHandler {
    let format: LogFormat
    let redactor: Redactor
    /// Of the whole process.
    let level: LogLevelSwitch
    /// Of this logger alone, where somebody set one.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]

    init(format: LogFormat, level: LogLevelSwitch, redactor: Redactor) {
        self.format = format
        self.level = level
        self.redactor = redactor
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? level.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        all.merge(event.metadata ?? [:]) { _, new in new }
        let line = LogLine(
            time: SystemTime().now(), level: event.level, message: "\(event.message)", metadata: all)
        StandardError.write(redactor(line.text(format)) + "\n")
    }
}

/// One line of the log.
struct LogLine {
    let time: Instant
    let level: Logger.Level
    let message: String
    let metadata: Logger.Metadata

    func text(_ format: LogFormat) -> String {
        switch format {
        case .text: "\(time) \(padded) \(sentence)"
        case .journal: "<\(priority)>\(sentence)"
        case .json: json
        }
    }

    private var padded: String {
        let word = "\(level)"
        return word + String(repeating: " ", count: max(0, 8 - word.count))
    }

    /// What happened, about what.
    private var sentence: String {
        var all = metadata
        let device = all.removeValue(forKey: "device").map { "\($0): " } ?? ""
        let rest = all.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
        return PlainText.escaped("\(device)\(message)\(rest)")
    }

    /// The keys `time, level, message`, then `device` and `sink` where they are known, then `fields` with the rest.
    private var json: String {
        var all = metadata
        var writer = JSONObjectWriter()
        writer.member("time", time.description)
        writer.member("level", level.rawValue)
        writer.member("message", message)
        if let device = all.removeValue(forKey: "device") { writer.member("device", "\(device)") }
        if let sink = all.removeValue(forKey: "sink") { writer.member("sink", "\(sink)") }
        if !all.isEmpty {
            let fields = all.sorted { $0.key < $1.key }.map {
                JSONNode.Member(key: $0.key, value: .string("\($0.value)"))
            }
            writer.member("fields", JSONNode.object(fields))
        }
        return writer.finish().text
    }

    /// The levels of syslog, which systemd reads from a prefix.
    private var priority: Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func quoted(_ value: String) -> String {
        value.contains(" ") || value.isEmpty ? "\"\(value)\"" : value
    }
}

/// `--log-level` and `--log-format`.
struct LogOption: ParsableArguments {
    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning, error or critical; otherwise what the configuration says.")
    var level: LogLevel?
    @Option(
        name: .customLong("log-format"),
        help: "text, json or journal (for systemd); otherwise what the configuration says.")
    var format: LogFormat?

    /// What the process logs, and how. The command line goes before the configuration.
    func process(_ configuration: LoadedConfiguration) -> ProcessLog {
        let log = configuration.configuration.log
        return ProcessLog(
            format: format ?? log.format ?? Self.fitting, level: level ?? log.level, redactor: configuration.redactor)
    }

    /// For verbs that read no configuration.
    var logger: Logger {
        ProcessLog(format: format ?? Self.fitting, level: level ?? .info, redactor: Redactor()).logger
    }

    /// systemd tells device and inode of the socket that its journal reads; it is ours when standard error is that one.
    private static var fitting: LogFormat {
        let parts = (ProcessInfo.processInfo.environment["JOURNAL_STREAM"] ?? "").split(separator: ":")
        guard parts.count == 2 else { return .text }
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/2")
        return target == "socket:[\(parts[1])]" ? .journal : .text
    }
}

/// The log of this process.
struct ProcessLog {
    let level: LogLevelSwitch
    let redactor: Redactor
    let logger: Logger

    init(format: LogFormat, level: LogLevel, redactor: Redactor) {
        let level = LogLevelSwitch(Logger.Level(rawValue: level.rawValue) ?? .info)
        self.level = level
        self.redactor = redactor
        logger = Logger(label: "muster") { _ in LineLog(format: format, level: level, redactor: redactor) }
    }
}

extension LogLevel: ExpressibleByArgument {}
extension LogFormat: ExpressibleByArgument {}
