/// Everything that a driver may use of the outside world.
public struct DriverContext: Sendable {
    public let device: DeviceID
    /// The zone of the device's wall clock.
    public let timeZone: DeviceTimeZone
    public let time: any TimeSource
    public let random: any RandomSource
    public let dialer: any Dialer
    public let log: any DriverLog

    public init(
        device: DeviceID, timeZone: DeviceTimeZone, time: any TimeSource, random: any RandomSource,
        dialer: any Dialer, log: any DriverLog
    ) {
        self.device = device
        self.timeZone = timeZone
        self.time = time
        self.random = random
        self.dialer = dialer
        self.log = log
    }
}

/// The host's log, bound to the device. Most of what a driver has to say it throws; this is for the rest.
public protocol DriverLog: Sendable {
    /// - Parameters:
    ///   - level: `debug` unless nobody else can learn of it.
    ///   - message: a constant sentence; what varies goes into `metadata`. Never a secret.
    func log(_ level: DriverLogLevel, _ message: String, metadata: [String: String])
}

/// How much a line matters.
public enum DriverLogLevel: String, Sendable, Hashable, CaseIterable {
    case trace, debug, info, warning
}

extension DriverLog {
    /// For developers.
    public func debug(_ message: String, _ metadata: [String: String] = [:]) {
        log(.debug, message, metadata: metadata)
    }

    /// Nobody else can learn of it.
    public func info(_ message: String, _ metadata: [String: String] = [:]) {
        log(.info, message, metadata: metadata)
    }

    /// An operator should know.
    public func warning(_ message: String, _ metadata: [String: String] = [:]) {
        log(.warning, message, metadata: metadata)
    }
}

/// A log that forgets.
public struct SilentLog: DriverLog {
    public init() {}
    public func log(_ level: DriverLogLevel, _ message: String, metadata: [String: String]) {}
}
