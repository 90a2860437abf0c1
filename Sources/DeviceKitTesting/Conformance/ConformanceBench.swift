public import DeviceKit

/// A device for one check, with everything that a driver needs to reach it. Each check gets a fresh one, in the same
/// state: between 20 and some 300 records in its log.
public struct ConformanceBench: Sendable {
    /// With a dialer that leads to the device, and its time. Where the time is manual, opening and polling must not
    /// need it to move.
    public var context: DriverContext
    /// What the device's log holds now, in its order.
    public var log: @Sendable () async -> [PunchRecord]
    /// Makes the device record at least one punch while a capture runs; `nil` where the driver does not capture.
    public var punch: (@Sendable () async -> Void)?
    /// How many captured punches the device knows as acknowledged; `nil` where that cannot be seen.
    public var acknowledgedCount: (@Sendable () async -> Int)?

    public init(
        context: DriverContext, log: @escaping @Sendable () async -> [PunchRecord],
        punch: (@Sendable () async -> Void)? = nil, acknowledgedCount: (@Sendable () async -> Int)? = nil
    ) {
        self.context = context
        self.log = log
        self.punch = punch
        self.acknowledgedCount = acknowledgedCount
    }
}
