/// Which client a datagram belongs to: over UDP its source address is all there is.
///
/// Bounded, and nobody says goodbye for sure: who was not heard of for a while is forgotten.
struct DatagramSessions<Address: Hashable & Sendable>: Sendable {
    private struct Entry {
        let id: Int
        var heardAt: Duration
    }

    private let lifetime: Duration
    private var entries: [Address: Entry] = [:]

    /// A terminal has few clients; when there are more, the one that was silent for the longest time goes.
    static var capacity: Int { 64 }

    /// - Parameter lifetime: of a client that says nothing.
    init(lifetime: Duration) { self.lifetime = lifetime }

    /// The client at an address, if it is known.
    mutating func client(at address: Address, now: Duration) -> Int? {
        guard let entry = entries[address] else { return nil }
        entries[address]?.heardAt = now
        return entry.id
    }

    /// A new client. Room has been made with ``removeExpired(now:)``.
    mutating func add(_ id: Int, at address: Address, now: Duration) {
        entries[address] = Entry(id: id, heardAt: now)
    }

    mutating func remove(_ id: Int) {
        if let address = entries.first(where: { $0.value.id == id })?.key { entries[address] = nil }
    }

    /// Forgets who was silent for too long, and at a full table the one that was so for the longest time.
    /// - Returns: their ids.
    mutating func removeExpired(now: Duration) -> [Int] {
        var gone = entries.filter { now - $0.value.heardAt > lifetime }
        if entries.count - gone.count >= Self.capacity,
            let oldest = entries.min(by: { $0.value.heardAt < $1.value.heardAt })
        {
            gone[oldest.key] = oldest.value
        }
        for address in gone.keys { entries[address] = nil }
        return gone.values.map(\.id).sorted()
    }
}
