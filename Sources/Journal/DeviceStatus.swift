public import DeviceKit

/// What an operator wants to know of a device, kept current by the host.
public struct DeviceStatus: Sendable, Hashable {
    public var device: DeviceID
    /// The name of the lifecycle's state, for example `online`.
    public var state: String
    public var isConnected: Bool
    public var identity: DeviceIdentity
    public var inventory: LogInventory?
    /// The last poll that read the log to its end.
    public var lastPollAt: Instant?
    public var lastError: String?
    public var lastErrorAt: Instant?
    public var failuresInARow: Int
    public var isRealtimeEnabled: Bool
    public var realtimeDisabledAt: Instant?
    /// What an operator should know now, for example that the log was rewritten; empty when all is well.
    public var conditions = DeviceConditions()
    public var updatedAt: Instant

    public init(device: DeviceID, state: String, updatedAt: Instant) {
        self.device = device
        self.state = state
        self.updatedAt = updatedAt
        isConnected = false
        identity = DeviceIdentity()
        failuresInARow = 0
        isRealtimeEnabled = true
    }
}

/// What went through a device since the journal began: `received = journaled + duplicates + rejected`.
public struct DeviceCounters: Sendable, Hashable {
    public var received: Int
    public var journaled: Int
    public var duplicates: Int
    public var rejected: Int

    public static let none = DeviceCounters(received: 0, journaled: 0, duplicates: 0, rejected: 0)
}
