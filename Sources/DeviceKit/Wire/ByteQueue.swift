/// Bytes that arrive at one end and are taken from the other. Taking costs what is taken, however much is queued.
public struct ByteQueue: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0

    public init() {}

    public var count: Int { bytes.count - start }
    public var isEmpty: Bool { count == 0 }

    /// Bytes that have arrived.
    public mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// The first `count` bytes, or `nil` while there are fewer. They stay in the queue.
    public func peek(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= self.count else { return nil }
        return bytes[start..<start + count]
    }

    /// Removes and returns the first `count` bytes; `nil`, and nothing removed, while there are fewer.
    public mutating func take(_ count: Int) -> [UInt8]? {
        guard let taken = peek(count).map({ Array($0) }) else { return nil }
        start += count
        compact()
        return taken
    }

    /// Room is given back once more than half of the storage has been taken.
    private mutating func compact() {
        guard start > 4_096, start * 2 > bytes.count else { return }
        bytes.removeFirst(start)
        start = 0
    }
}
