public import DeviceKit
public import Logging

/// A driver's or a sink's log: the host's logger, with who speaks in its metadata.
public struct LoggerBridge: DriverLog {
    private let logger: Logger

    public init(_ logger: Logger, _ key: String, _ value: String) {
        var logger = logger
        logger[metadataKey: key] = "\(value)"
        self.logger = logger
    }

    public func log(_ level: DriverLogLevel, _ message: String, metadata: [String: String]) {
        logger.log(
            level: Self.level(level), "\(message)",
            metadata: metadata.isEmpty ? nil : metadata.mapValues { .string($0) })
    }

    private static func level(_ level: DriverLogLevel) -> Logger.Level {
        switch level {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        }
    }
}
