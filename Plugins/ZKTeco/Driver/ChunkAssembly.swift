internal import ZKTecoWire

/// Bulk data that arrives in datagrams: some lost, some twice, in any order.
///
/// Older boards number the DATA frames of an answer in the session field, from 0; others repeat the session there. What a
/// terminal does shows in a whole answer only, so that is what decides ``Numbering``.
struct ChunkAssembly: Sendable {
    /// What is known of a terminal's DATA frames.
    enum Numbering: Sendable, Hashable {
        /// No answer of several frames was whole so far.
        case unknown
        /// Their places stand in the session field, and each but the last of an answer has so many bytes.
        case numbered(frameByteCount: Int)
        /// They carry no place: only an answer of one frame of so many bytes can be relied on.
        case unnumbered(frameByteCount: Int)
    }

    /// What the frames so far say.
    enum Outcome: Sendable, Hashable {
        /// Everything that was announced or asked for.
        case whole([UInt8], Numbering)
        /// Frames of known places, by the offset of each; the others are missing.
        case parts([Int: [UInt8]])
        /// Several frames without numbers.
        case unnumbered(frameByteCount: Int)
        /// Nothing that can be used.
        case nothing
    }

    /// How many bytes the terminal says or was asked for; 0 while that is not known.
    private(set) var byteCount: Int
    /// The terminal says that it has sent everything.
    private(set) var isClosed = false
    /// Different frames in the order in which they came. A datagram that came twice stands here once.
    private var frames: [Frame] = []
    private var seen: Set<Frame> = []
    private var received = 0

    private struct Frame: Sendable, Hashable {
        let number: Int
        let bytes: [UInt8]
    }

    /// - Parameter byteCount: what was asked for; 0 where only the terminal knows.
    init(byteCount: Int = 0) { self.byteCount = byteCount }

    /// The bytes of different frames are as many as announced. Over a network that doubles datagrams that is not yet all.
    var isFull: Bool { byteCount > 0 && received >= byteCount }
    var isEmpty: Bool { frames.isEmpty }

    mutating func announce(_ byteCount: Int) { self.byteCount = byteCount }
    mutating func close() { isClosed = true }

    /// A DATA frame. A second copy changes nothing.
    mutating func add(_ packet: Packet) {
        let frame = Frame(number: Int(packet.session), bytes: packet.payload)
        guard !packet.payload.isEmpty, received < byteCount || byteCount == 0 else { return }
        add(frame)
    }

    /// Frames of another reading of the same set.
    mutating func add(_ other: ChunkAssembly) {
        for frame in other.frames { add(frame) }
    }

    private mutating func add(_ frame: Frame) {
        guard seen.insert(frame).inserted else { return }
        frames.append(frame)
        received += frame.bytes.count
    }

    /// What the frames say, in the light of what is known of the terminal.
    func outcome(_ numbering: Numbering) -> Outcome {
        guard byteCount > 0, let largest = frames.map(\.bytes.count).max() else { return .nothing }
        if let only = frames.first(where: { $0.bytes.count == byteCount }) {
            return frames.count == 1 ? .whole(only.bytes, numbering) : .nothing
        }
        // The largest frame of a whole answer has the usual length. Of a part of it that is not sure.
        var usual = largest
        if case .numbered(let frameByteCount) = numbering { usual = frameByteCount }
        guard let placed = placed(frameByteCount: usual) else {
            return frames.count > 1 ? .unnumbered(frameByteCount: largest) : .nothing
        }
        let count = (byteCount + usual - 1) / usual
        if placed.count == count {
            return .whole((0..<count).flatMap { placed[$0] ?? [] }, .numbered(frameByteCount: usual))
        }
        guard case .numbered = numbering else { return .nothing }
        return .parts(Dictionary(uniqueKeysWithValues: placed.map { ($0.key * usual, $0.value) }))
    }

    /// The frames by their numbers; `nil` when the numbers cannot be places: one twice with different bytes, one beyond
    /// the end, or a frame that is too short or long for its place.
    private func placed(frameByteCount: Int) -> [Int: [UInt8]]? {
        let last = (byteCount - 1) / frameByteCount
        var placed: [Int: [UInt8]] = [:]
        for frame in frames {
            let expected = frame.number == last ? byteCount - last * frameByteCount : frameByteCount
            guard frame.number <= last, frame.bytes.count == expected,
                placed.updateValue(frame.bytes, forKey: frame.number) == nil
            else { return nil }
        }
        return placed
    }

    /// What came where one frame is all.
    var onlyFrame: [UInt8]? { frames.count == 1 ? frames.first?.bytes : nil }

    /// The frames in the order in which they came, where they are as many bytes as announced.
    var inOrderOfArrival: [UInt8]? {
        received == byteCount && byteCount > 0 ? frames.flatMap(\.bytes) : nil
    }
}
