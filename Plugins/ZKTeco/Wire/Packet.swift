public import DeviceKit

/// One request, answer or live event: the whole datagram over UDP, the body of a ``Frame`` over TCP.
public struct Packet: Sendable, Hashable {
    /// A ``Command`` in a request, a ``Reply`` in an answer, 500 in a live event.
    public var code: UInt16
    /// The session; in a live event its flag; in the answer to STATE_RRQ the state; in bulk data sometimes an index.
    public var session: UInt16
    /// Chosen by the client and echoed by the terminal; 0 in a live event.
    public var replyNumber: UInt16
    public var payload: [UInt8]

    public static let headerByteCount = 8

    public init(code: UInt16, session: UInt16, replyNumber: UInt16, payload: [UInt8] = []) {
        self.code = code
        self.session = session
        self.replyNumber = replyNumber
        self.payload = payload
    }

    /// Reads a whole packet.
    /// - Throws: ``WireError`` when it is shorter than its header or its checksum is wrong.
    public init(bytes: ArraySlice<UInt8>) throws(WireError) {
        var reader = ByteReader(bytes)
        code = try reader.u16()
        let checksum = try reader.u16()
        session = try reader.u16()
        replyNumber = try reader.u16()
        payload = Array(reader.rest())
        // A sum of zero has two spellings in one's complement.
        let expected = Checksum.of(code: code, session: session, replyNumber: replyNumber, payload: payload[...])
        guard checksum == expected || (expected == 0xFFFF && checksum == 0) || (expected == 0 && checksum == 0xFFFF)
        else { throw WireError("the checksum is \(checksum), it should be \(expected)", at: 2) }
    }

    /// The packet with its checksum.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Self.headerByteCount + payload.count)
        append(to: &writer)
        return writer.bytes
    }

    func append(to writer: inout ByteWriter) {
        writer.u16(code)
        writer.u16(Checksum.of(code: code, session: session, replyNumber: replyNumber, payload: payload[...]))
        writer.u16(session)
        writer.u16(replyNumber)
        writer.append(payload)
    }
}

/// The Internet checksum over little-endian words, with the checksum field as zero.
public enum Checksum {
    static func of(code: UInt16, session: UInt16, replyNumber: UInt16, payload: ArraySlice<UInt8>) -> UInt16 {
        // At most 32 Ki words of 16 bits below the frame limit: a 64-bit sum cannot overflow.
        var sum = UInt64(code) + UInt64(session) + UInt64(replyNumber)
        payload.withUnsafeBufferPointer { bytes in
            var index = 0
            while index + 1 < bytes.count {
                sum += UInt64(bytes[index]) | UInt64(bytes[index + 1]) << 8
                index += 2
            }
            // An odd last byte is a word with a zero high byte.
            if index < bytes.count { sum += UInt64(bytes[index]) }
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
        return 0xFFFF - UInt16(sum)
    }
}
