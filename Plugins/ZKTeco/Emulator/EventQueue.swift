/// The live events of one connection: what is registered, what waits, what was acknowledged.
///
/// One unacknowledged frame at a time; the next follows the acknowledgement, or 50 ms for the clients that never
/// acknowledge. What a real terminal does with an event that nobody acknowledges is not known; here it is sent once and
/// never again, and stands in the log.
struct EventQueue: Sendable, Equatable {
    /// Event flags that the client registered.
    private(set) var mask: UInt32 = 0
    private(set) var sent = 0
    private(set) var acknowledged = 0
    /// Frames sent and not acknowledged, whether or not their time has passed.
    private(set) var outstanding = 0
    private var waiting: ArraySlice<[UInt8]> = []
    private var lastSent = Duration.zero

    static let patience = Duration.milliseconds(50)
    /// An event beyond this many waiting ones is not announced; it stands in the log.
    static let capacity = 10_000

    /// The uptime at which ``advance(now:)`` has something to send; `nil` when nothing waits for time to pass.
    var deadline: Duration? { waiting.isEmpty ? nil : lastSent + Self.patience }

    /// The client registered `mask`; with 0 it wants no more, and what waits is forgotten.
    mutating func register(_ mask: UInt32) {
        self.mask = mask
        if mask == 0 { waiting = [] }
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
        sent += all.count
        outstanding += all.count
        lastSent = now
        return all
    }

    /// The client acknowledged its oldest event. An acknowledgement of nothing is ignored: pyzk sends them.
    /// - Returns: whether it counted, and the payloads to send now.
    mutating func acknowledge(now: Duration) -> (counted: Bool, payloads: [[UInt8]]) {
        guard outstanding > 0 else { return (false, []) }
        outstanding -= 1
        acknowledged += 1
        return (true, advance(now: now))
    }

    /// The next payload, if the last was acknowledged or has had its time.
    mutating func advance(now: Duration) -> [[UInt8]] {
        guard outstanding == 0 || now >= lastSent + Self.patience, let payload = waiting.popFirst() else { return [] }
        sent += 1
        outstanding += 1
        lastSent = now
        return [payload]
    }
}
