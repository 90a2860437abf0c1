/// How often a peer may show a wrong token: some at once, then one now and then. Pure.
struct WrongTokens: Sendable {
    /// So many at once.
    static let burst = 10
    /// After so long there is leave for one more.
    static let refill = Duration.seconds(6)
    /// Peers that are remembered. Beyond that the one goes whose leave is back soonest.
    static let maximumPeerCount = 1_024

    private struct Record {
        /// The uptime at which all of its leave is back: one refill further with each wrong token.
        var clearAt: Duration
        /// It was told that there is no leave left.
        var isTold = false
    }

    private var records: [Peer: Record] = [:]

    var peerCount: Int { records.count }

    /// How long until the peer may show a token again, right or wrong; `nil` when it may now.
    func wait(for peer: Peer, at uptime: Duration) -> Duration? {
        guard let record = records[peer] else { return nil }
        let wait = record.clearAt - uptime - Self.refill * (Self.burst - 1)
        return wait > .zero ? wait : nil
    }

    /// The peer has shown a wrong one.
    /// - Returns: whether this is the first time since its leave was whole that there is none left.
    mutating func note(_ peer: Peer, at uptime: Duration) -> Bool {
        var record = records[peer].flatMap { $0.clearAt > uptime ? $0 : nil } ?? Record(clearAt: uptime)
        record.clearAt += Self.refill
        if records[peer] == nil { makeRoom(at: uptime) }
        records[peer] = record
        guard !record.isTold, wait(for: peer, at: uptime) != nil else { return false }
        records[peer]?.isTold = true
        return true
    }

    private mutating func makeRoom(at uptime: Duration) {
        guard records.count >= Self.maximumPeerCount else { return }
        records = records.filter { $0.value.clearAt > uptime }
        guard records.count >= Self.maximumPeerCount,
            let soonest = records.min(by: { $0.value.clearAt < $1.value.clearAt })
        else { return }
        records[soonest.key] = nil
    }
}
