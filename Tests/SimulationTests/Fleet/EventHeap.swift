/// What is to happen, in the order of its time; what falls on one moment happens in the order in which it was put in.
struct EventHeap {
    struct Entry {
        /// Milliseconds since the simulation began.
        var at: Int64
        var order: UInt64
        /// The device; -1 for the host.
        var device: Int32
        var kind: Kind
        /// The session, the operation or the wake that it belongs to: what has ended since is passed over.
        var token: Int32
        var payload: Int32
    }

    enum Kind: UInt8 {
        /// The machine's deadline.
        case wake
        /// Somebody punches.
        case punch
        /// The device answers what it was asked, or the time for that is over.
        case answer
        /// A punch reaches the host as it happens.
        case delivery
        /// A fault of the device begins or ends.
        case fault
        /// Something happens to the host.
        case host
    }

    private var entries: [Entry] = []
    private var nextOrder: UInt64 = 0

    var isEmpty: Bool { entries.isEmpty }

    mutating func push(at: Int64, _ kind: Kind, device: Int32, token: Int32 = 0, payload: Int32 = 0) {
        entries.append(
            Entry(at: at, order: nextOrder, device: device, kind: kind, token: token, payload: payload))
        nextOrder += 1
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.precedes(entries[child], entries[parent]) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> Entry? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        guard !entries.isEmpty else { return first }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && Self.precedes(entries[child], entries[least]) { least = child }
            guard least != parent else { return first }
            entries.swapAt(parent, least)
            parent = least
        }
    }

    @inline(__always)
    private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
        left.at == right.at ? left.order < right.order : left.at < right.at
    }
}
