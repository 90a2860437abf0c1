public import DeviceKit

/// How far a sink has been served.
///
/// A sink moves through the journal with one position. A device that is attached to it later has punches behind that
/// position; it gets a lane of its own until it has caught up, so that its older punches are delivered too.
public struct SinkProgress: Sendable, Hashable {
    public enum Lane: Sendable, Hashable {
        /// Served up to the sink's position.
        case following
        /// Served up to a position of its own: it joined later and is catching up, or the sink has lost it.
        case behind(Int64)
    }

    /// Every punch of the following devices up to here is delivered or dead-lettered.
    public var position: Int64
    public var lanes: [DeviceID: Lane]

    public init(position: Int64 = 0, lanes: [DeviceID: Lane] = [:]) {
        self.position = position
        self.lanes = lanes
    }

    /// The position up to which one device has been served; 0 for a device that the sink has never had.
    public func position(of device: DeviceID) -> Int64 {
        switch lanes[device] {
        case nil: 0
        case .following: position
        case .behind(let own): own
        }
    }
}

/// What one delivery changes: stored in one transaction.
public struct SinkDelivery: Sendable, Hashable {
    /// The sink's position afterwards. It never moves back.
    public var position: Int64
    /// The lanes that changed.
    public var lanes: [DeviceID: SinkProgress.Lane]
    /// How many punches the target took.
    public var delivered: Int
    /// What the target refused for good; each becomes a dead letter.
    public var rejected: [Delivery.Rejection]
    /// Punches that were to be delivered again and are now, or were refused again.
    public var redelivered: [Int64]

    public init(
        position: Int64, lanes: [DeviceID: SinkProgress.Lane] = [:], delivered: Int = 0,
        rejected: [Delivery.Rejection] = [], redelivered: [Int64] = []
    ) {
        self.position = position
        self.lanes = lanes
        self.delivered = delivered
        self.rejected = rejected
        self.redelivered = redelivered
    }
}

/// What an operator wants to know of a sink.
public struct SinkStatus: Sendable, Hashable {
    public var name: String
    public var progress: SinkProgress
    /// Punches delivered since the journal began.
    public var deliveredCount: Int
    public var deadLetterCount: Int
    /// Since when deliveries fail; `nil` while all is well.
    public var failingSince: Instant?
    public var lastError: String?
}

/// A punch that a sink refused for good.
public struct DeadLetter: Sendable, Hashable {
    public var sink: String
    public var punch: JournaledPunch
    public var reason: String
    /// The last time.
    public var rejectedAt: Instant
    /// How often the sink has refused it.
    public var attempts: Int
    public var state: State

    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Nothing happens until somebody decides.
        case parked
        /// The sink gets it once more.
        case retrying
        /// Somebody decided that it is of no use.
        case discarded
    }
}
