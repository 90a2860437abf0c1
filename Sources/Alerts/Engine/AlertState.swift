public import DeviceKit

/// Everything that the engine must not forget. Each part is stored by itself, as JSON.
public struct AlertState: Sendable, Hashable {
    /// Names this host in ids of messages; made by chance once.
    public var host: String
    public var nextNumber: Int64 = 1
    public var alerts: [AlertKey: AlertRecord] = [:]
    /// Those that go on, by their number.
    public var incidents: [Int64: Incident] = [:]
    public var channels: [String: ChannelRecord] = [:]
    public var silences: [Int64: Silence] = [:]

    public init(host: String) { self.host = host }

    /// The wall clock was set: what has been going on for an hour still has.
    mutating func shift(by jump: Duration) {
        for key in alerts.keys { alerts[key]?.shift(by: jump) }
        for key in incidents.keys { incidents[key]?.shift(by: jump) }
        for key in channels.keys { channels[key]?.shift(by: jump) }
        for key in silences.keys { silences[key]?.shift(by: jump) }
    }

    mutating func takeNumber() -> Int64 {
        defer { nextNumber = nextNumber < .max ? nextNumber + 1 : nextNumber }
        return nextNumber
    }
}

/// One rule for one subject.
public struct AlertRecord: Sendable, Hashable, Codable {
    public var key: AlertKey
    /// How much it matters while the condition holds; `nil` while it does not.
    public var severity: AlertSeverity?
    /// When the condition began to hold, or ceased to.
    public var since: Instant
    /// When it had held long enough. Stays while it is unstable.
    public var firedAt: Instant?
    public var detail = ""
    /// It has gone on for so long that it is critical.
    var isOverdue = false
    var leastHold: Duration?
    /// Of something that only happens: when it counts as over.
    var expiresAt: Instant?
    /// When the condition began or ceased to hold, of late.
    var changes: [Instant] = []
    public var unstableSince: Instant?
    /// Punches that were recovered after it.
    var recovered = 0
    var awaitsEffect = false
    /// The devices behind a site's link, and when the first of them was back.
    var devices: [String] = []
    var firstBackAt: Instant?
    public var incident: Int64?

    init(_ key: AlertKey, since: Instant) {
        self.key = key
        self.since = since
    }

    public var isActive: Bool { severity != nil }
    public var isFiring: Bool { firedAt != nil }

    mutating func shift(by jump: Duration) {
        since = since + jump
        firedAt = firedAt.map { $0 + jump }
        expiresAt = expiresAt.map { $0 + jump }
        changes = changes.map { $0 + jump }
        unstableSince = unstableSince.map { $0 + jump }
        firstBackAt = firstBackAt.map { $0 + jump }
    }
}

/// Alerts of one cause at one site: one thread of messages.
public struct Incident: Sendable, Hashable, Codable {
    public enum Phase: Sendable, Hashable, Codable {
        /// More of its kind may come: nobody has been told.
        case waiting(until: Instant)
        case open
        /// Everything is over; told when the time has come, unless it begins again.
        case closing(until: Instant)
        case closed(Instant)
    }

    public struct Group: Sendable, Hashable, Codable {
        /// `nil` for what belongs to no site.
        public var site: String?
        public var cause: String
    }

    public struct Member: Sendable, Hashable, Codable {
        public var key: AlertKey
        public var since: Instant
        public var severity: AlertSeverity
        public var detail: String
        public var isUnstable = false
        public var resolvedAt: Instant?
        public var recovered = 0
        /// A consequence of another member: listed, and no news of its own.
        var isConsequence = false
        /// What was last told of it; `nil` when nothing was.
        var toldSeverity: AlertSeverity?
        var wasToldUnstable = false
        var wasToldResolved = false

        public var isOver: Bool { resolvedAt != nil }
    }

    public struct Acknowledgement: Sendable, Hashable, Codable {
        public var by: String
        public var at: Instant
    }

    /// What became of one message.
    public struct Delivery: Sendable, Hashable, Codable {
        public var at: Instant
        public var channel: String
        public var kind: AlertMessage.Kind
        /// `nil` when it arrived.
        public var error: String?
    }

    public let id: Int64
    public let group: Group
    public var phase: Phase
    public var openedAt: Instant
    public var members: [Member] = []
    public var acknowledgement: Acknowledgement?
    /// The first message; `nil` before it.
    public var toldAt: Instant?
    var lastToldAt: Instant?
    var repeatsDone = 0
    var stepsDone: [Int] = []
    /// Channels that were told, in the order in which they were.
    public var receivers: [String] = []
    var messageCount = 0
    /// The newest, ``mostDeliveries`` at the most.
    public var deliveries: [Delivery] = []

    static let mostDeliveries = 50

    public var isClosed: Bool {
        if case .closed = phase { true } else { false }
    }

    var open: [Member] { members.filter { !$0.isOver } }

    /// The gravest that holds, or after the end, that held.
    public var severity: AlertSeverity { (open.isEmpty ? members : open).map(\.severity).max() ?? .info }

    /// The earliest beginning of its members.
    public var since: Instant { members.map(\.since).min() ?? openedAt }

    public var recovered: Int { members.reduce(0) { $0 + $1.recovered } }

    mutating func note(_ delivery: Delivery) {
        deliveries.append(delivery)
        if deliveries.count > Self.mostDeliveries { deliveries.removeFirst() }
    }

    mutating func shift(by jump: Duration) {
        switch phase {
        case .waiting(let until): phase = .waiting(until: until + jump)
        case .closing(let until): phase = .closing(until: until + jump)
        case .closed(let at): phase = .closed(at + jump)
        case .open: break
        }
        openedAt = openedAt + jump
        toldAt = toldAt.map { $0 + jump }
        lastToldAt = lastToldAt.map { $0 + jump }
        for index in members.indices {
            members[index].since = members[index].since + jump
            members[index].resolvedAt = members[index].resolvedAt.map { $0 + jump }
        }
    }
}

/// Alerts that nobody wants to hear of for a while.
public struct Silence: Sendable, Hashable, Codable {
    public let id: Int64
    /// `nil` for all rules.
    public var rule: AlertRule?
    /// `nil` for everything.
    public var subject: AlertSubject?
    public var until: Instant
    public var by: String
    public var why: String

    mutating func shift(by jump: Duration) { until = until + jump }
}

/// What is on its way through one channel.
public struct ChannelRecord: Sendable, Hashable, Codable {
    struct Queued: Sendable, Hashable, Codable {
        var message: AlertMessage
        /// It could not go when it came: it goes in a digest with the others.
        var isHeld = false
    }

    /// An incident's conversation in this channel.
    struct Thread: Sendable, Hashable, Codable {
        /// Ids of our messages, the first and the last.
        var messages: [String]
        /// What the target calls the first one.
        var reference: String?
    }

    var queue: [Queued] = []
    /// Messages that found no room.
    public var dropped = 0
    public var failures = 0
    public var failingSince: Instant?
    public var lastError: String?
    var retryAt: Instant?
    /// How many went to the fallback since it fails.
    var handedOver = 0
    /// Leave to send, of the bucket; `nil` for a full one.
    var tokens: Double?
    var tokensAt: Instant?
    var threads: [Int64: Thread] = [:]
    public var sentCount = 0
    public var lastSentAt: Instant?

    static let capacity = 200
    /// After so many failures in a row the channel counts as failing.
    static let failuresUntilFailing = 2

    public init() {}

    public var waitingCount: Int { queue.count }
    var isFailing: Bool { failures >= Self.failuresUntilFailing }

    mutating func shift(by jump: Duration) {
        failingSince = failingSince.map { $0 + jump }
        retryAt = retryAt.map { $0 + jump }
        tokensAt = tokensAt.map { $0 + jump }
        lastSentAt = lastSentAt.map { $0 + jump }
    }
}
