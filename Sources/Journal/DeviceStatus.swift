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
    /// What the device's clock differed from the host's when it was last read; positive when it is ahead.
    public var clockDrift: Duration?
    public var clockReadAt: Instant?
    /// When the host last set the clock, or found that it needed no setting.
    public var clockSetAt: Instant?
    /// Every punch that was made before this instant is in the journal, but for what ``gap`` tells. It never moves back.
    public var completeThrough: Instant?
    /// The span in which punches may be missing because the log lost them before they could be read; until an operator
    /// accepts it.
    public var gap: StatusGap?
    /// The epoch of the log that was last read to its end.
    public var readEpoch: Int?
    /// The serial number whose punches are taken; `nil` until one was met.
    public var acceptedSerial: String?
    /// Another one that answered at the address last, and waits to be accepted.
    public var heldSerial: String?
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

/// A span of time, both ends included.
public struct StatusGap: Sendable, Hashable {
    public var from: Instant
    public var until: Instant

    public init(from: Instant, until: Instant) {
        self.from = from
        self.until = until
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
