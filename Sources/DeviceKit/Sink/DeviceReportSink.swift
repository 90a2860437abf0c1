/// A sink that also shows what is known of the devices: a table of them, or a status message for each.
public protocol DeviceReportSink: PunchSink {
    /// Brings the target up to date. Called between deliveries, when something changed, and after each ``PunchSink/open()``.
    /// - Parameters:
    ///   - devices: those of the sink's devices that changed; all of them when `isComplete`.
    ///   - isComplete: `devices` are all that the sink has: others at the target no longer exist.
    /// - Throws: ``SinkFault``; the reports come again.
    func report(_ devices: [DeviceReport], isComplete: Bool) async throws(SinkFault)
}

/// What is known of a device, without any secret.
public struct DeviceReport: Sendable, Hashable {
    public var device: DeviceID
    /// What people call it.
    public var name: String
    public var location: String?
    /// Where it is reached, as its settings say; `nil` for a driver without an address.
    public var address: String?
    public var port: UInt16?
    /// As far as the device has told.
    public var identity: DeviceIdentity
    public var inventory: LogInventory?
    public var isEnabled: Bool
    public var isConnected: Bool
    /// False while capture is suspended, since ``realtimeDisabledAt``.
    public var isRealtimeEnabled: Bool
    public var realtimeDisabledAt: Instant?
    /// When its log was last read to the end.
    public var lastPollAt: Instant?
    /// Every punch that was made before this instant is in the journal, and so at this sink or on its way; except in the
    /// gap. Absence can be told of times before it.
    public var completeThrough: Instant?
    /// The ends of the span in which punches may be missing because the log lost them; `nil` when there is none.
    public var gapFrom: Instant?
    public var gapUntil: Instant?
    /// What its clock differed from the host's at the last look; positive when it is ahead.
    public var clockDrift: Duration?
    /// The word of its state, for example `online`.
    public var state: String
    /// What an operator should know now.
    public var conditions = DeviceConditions()

    public init(device: DeviceID, name: String, state: String) {
        self.device = device
        self.name = name
        self.state = state
        identity = DeviceIdentity()
        isEnabled = true
        isConnected = false
        isRealtimeEnabled = true
    }
}
