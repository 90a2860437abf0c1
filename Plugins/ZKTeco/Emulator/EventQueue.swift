/// The live events of one connection: what is registered, what waits, what was acknowledged.
///
/// One unacknowledged frame at a time. What a real terminal does with an event that nobody acknowledges is not known.
/// Here the next one follows after 50 ms, for the clients that never acknowledge, and an event is sent once and stands in
/// the log; or, when it is repeated, the next one waits until it was acknowledged.
struct EventQueue: Sendable, Equatable {
    /// Event flags that the client registered.
    private(set) var mask: UInt32 = 0
    private(set) var sent = 0
    private(set) var acknowledged = 0
    /// How often an event was sent again.
    private(set) var repeated = 0
    /// Sent and not acknowledged, the oldest first. Without repetition also those whose time has passed.
    private var outstanding: ArraySlice<[UInt8]> = []
    private var waiting: ArraySlice<[UInt8]> = []
    private var lastSent = Duration.zero
    private var repetitions = 0
    /// `nil` sends every event once.
    private let repeatInterval: Duration?

    static let patience = Duration.milliseconds(50)
    /// An event beyond this many waiting ones is not announced; it stands in the log.
    static let capacity = 10_000
    /// So many events are remembered that a client has not acknowledged.
    static let largestBacklog = 100_000
    /// An event that was repeated so often is given up.
    static let largestRepetition = 1_000

    init(repeatInterval: Duration? = nil) { self.repeatInterval = repeatInterval }

    /// The uptime at which ``advance(now:)`` has something to send; `nil` when nothing waits for time to pass.
    var deadline: Duration? {
        if let repeatInterval { return outstanding.isEmpty ? nil : lastSent + repeatInterval }
        return waiting.isEmpty ? nil : lastSent + Self.patience
    }

    /// The client registered `mask`; with 0 it wants no more, and what waits is forgotten.
    mutating func register(_ mask: UInt32) {
        self.mask = mask
        if mask == 0 {
            waiting = []
            outstanding = []
        }
    }

    /// - Returns: the payloads to send now.
    mutating func push(_ payload: [UInt8], now: Duration) -> [[UInt8]] {
        guard waiting.count < Self.capacity else { return [] }
        waiting.append(payload)
        return advance(now: now)
    }

    /// Everything that waits, and `payloads`, goes at once.
    mutating func burst(_ payloads: [[UInt8]], now: Duration) -> [[UInt8]] {
        let all = Array(waiting) + payloads
        waiting = []
        return send(all, now: now)
    }

    /// The client acknowledged its oldest event. An acknowledgement of nothing is ignored: pyzk sends them.
    /// - Returns: whether it counted, and the payloads to send now.
    mutating func acknowledge(now: Duration) -> (counted: Bool, payloads: [[UInt8]]) {
        guard outstanding.popFirst() != nil else { return (false, []) }
        acknowledged += 1
        repetitions = 0
        return (true, advance(now: now))
    }

    /// The event to repeat, or the next one if the last was acknowledged or has had its time.
    mutating func advance(now: Duration) -> [[UInt8]] {
        if let repeatInterval, let oldest = outstanding.first {
            guard now >= lastSent + repeatInterval else { return [] }
            repetitions += 1
            guard repetitions <= Self.largestRepetition else {
                outstanding = []
                return advance(now: now)
            }
            repeated += 1
            lastSent = now
            return [oldest]
        }
        guard outstanding.isEmpty || now >= lastSent + Self.patience, let payload = waiting.popFirst() else {
            return []
        }
        return send([payload], now: now)
    }

    private mutating func send(_ payloads: [[UInt8]], now: Duration) -> [[UInt8]] {
        sent += payloads.count
        outstanding.append(contentsOf: payloads)
        // A client that never acknowledges is no reason to remember everything.
        if outstanding.count > Self.largestBacklog { outstanding = outstanding.suffix(Self.largestBacklog) }
        lastSent = now
        repetitions = 0
        return payloads
    }
}
