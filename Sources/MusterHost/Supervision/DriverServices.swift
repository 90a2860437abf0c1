public import DeviceKit
public import Logging

/// What the host hands to drivers: time, chance, sockets and a log.
public struct DriverServices: Sendable {
    public let time: any TimeSource
    public let random: any RandomSource
    public let dialer: any Dialer
    public let log: Logger

    public init(
        time: any TimeSource = SystemTime(), random: any RandomSource = SystemRandom(),
        dialer: any Dialer = SocketDialer(), log: Logger
    ) {
        self.time = time
        self.random = random
        self.dialer = dialer
        self.log = log
    }

    /// The context of a configured device's driver.
    public func context(for device: HostConfiguration.Device) -> DriverContext {
        context(device.id, zone: device.zone)
    }

    /// The context of a driver for a device that need not be configured.
    public func context(_ device: DeviceID, zone: DeviceTimeZone) -> DriverContext {
        DriverContext(
            device: device, timeZone: zone, time: time, random: random, dialer: dialer,
            log: LoggerBridge(log, "device", device.name))
    }
}
