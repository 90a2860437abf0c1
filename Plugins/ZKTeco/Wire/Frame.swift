public import DeviceKit

/// A packet on a TCP stream: magic, length, packet.
public enum Frame {
    /// `50 50 82 7D`.
    static let magic: [UInt8] = [0x50, 0x50, 0x82, 0x7D]
    /// `50 50 83 7C`: what terminals send while secure communication is on. One public source.
    static let secureMagic: [UInt8] = [0x50, 0x50, 0x83, 0x7C]
    static let topByteCount = 8
    /// Longer packets are refused. Terminals send chunks of 65,472 bytes and small sets whole.
    public static let maximumPacketByteCount = 1 << 20

    public static func bytes(_ packet: Packet) -> [UInt8] {
        var writer = ByteWriter(capacity: topByteCount + Packet.headerByteCount + packet.payload.count)
        writer.append(magic)
        writer.u32(UInt32(truncatingIfNeeded: Packet.headerByteCount + packet.payload.count))
        packet.append(to: &writer)
        return writer.bytes
    }
}

/// Why a TCP stream cannot be read on.
public enum FrameError: Error, Sendable, Hashable {
    /// The stream does not begin with the magic: another service, or we are out of step.
    case notThisProtocol(found: [UInt8])
    /// The terminal answers with encrypted frames.
    case secureCommunication
    case length(UInt32)
    /// The packet's checksum is wrong. The stream is still in step.
    case packet(WireError)
}

/// Reassembles packets from a TCP stream, however it was cut.
public struct FrameDecoder: Sendable {
    private var queue = ByteQueue()

    public init() {}

    /// Bytes of a frame that is not complete yet.
    public var pendingByteCount: Int { queue.count }

    public mutating func append(_ bytes: some Sequence<UInt8>) { queue.append(bytes) }

    /// The next whole packet, or `nil` while bytes are missing.
    public mutating func next() throws(FrameError) -> Packet? {
        guard let top = queue.peek(Frame.topByteCount) else {
            try checkMagic(Array(queue.peek(min(queue.count, 4)) ?? []))
            return nil
        }
        try checkMagic(Array(top.prefix(4)))
        let length = top.dropFirst(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard length >= UInt32(Packet.headerByteCount), length <= UInt32(Frame.maximumPacketByteCount) else {
            throw .length(length)
        }
        guard let frame = queue.take(Frame.topByteCount + Int(length)) else { return nil }
        do {
            return try Packet(bytes: frame[Frame.topByteCount...])
        } catch {
            throw .packet(error)
        }
    }

    /// Looks at as much of the magic as has arrived, so that a wrong service is seen at its first byte.
    private func checkMagic(_ found: [UInt8]) throws(FrameError) {
        if Frame.magic.starts(with: found) { return }
        if found.count == 4, found == Frame.secureMagic { throw .secureCommunication }
        if Frame.secureMagic.starts(with: found) { return }
        throw .notThisProtocol(found: found)
    }
}
