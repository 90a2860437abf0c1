public import DeviceKit

/// What a live attendance event says.
public struct LiveEvent: Sendable, Hashable {
    /// The user id; a number in the forms of 10, 12 and 14 bytes.
    public var code: String
    public var time: LocalDateTime
    public var verification: UInt8
    public var state: UInt8

    public init(code: String, time: LocalDateTime, verification: UInt8, state: UInt8) {
        self.code = code
        self.time = time
        self.verification = verification
        self.state = state
    }

    /// The forms that are known by their length.
    public static let byteCounts = [10, 12, 14, 32, 36, 37, 52]

    /// One event of a payload, or why it is none.
    public enum Decoded: Sendable, Hashable {
        case event(LiveEvent, bytes: [UInt8])
        case undecodable(WireError, bytes: [UInt8])
    }

    /// Reads a payload of one event, or of several of 52 bytes. Never loops on a length that it does not know: that is
    /// tried as a long form when it has room for one, and is undecodable otherwise.
    public static func decode(payload: [UInt8]) -> [Decoded] {
        guard payload.count > 52 else { return [decodeOne(payload[...])] }
        var events: [Decoded] = []
        var rest = payload[...]
        while rest.count >= 52 {
            events.append(decodeOne(rest.prefix(52)))
            rest = rest.dropFirst(52)
        }
        if !rest.isEmpty { events.append(decodeOne(rest)) }
        return events
    }

    private static func decodeOne(_ bytes: ArraySlice<UInt8>) -> Decoded {
        do throws(WireError) {
            return .event(try LiveEvent(bytes: bytes), bytes: Array(bytes))
        } catch {
            return .undecodable(error, bytes: Array(bytes))
        }
    }

    private init(bytes: ArraySlice<UInt8>) throws(WireError) {
        var reader = ByteReader(bytes)
        switch bytes.count {
        case 10, 14: code = String(try reader.u16())
        case 12: code = String(try reader.u32())
        case 32...: code = try UserCode.text(try reader.textField(24), at: 0)
        default: throw WireError("no live event of \(bytes.count) bytes is known")
        }
        verification = try reader.u8()
        state = try reader.u8()
        let offset = reader.offset
        guard let time = PackedTime.decodeSixBytes(try reader.take(6)) else {
            throw WireError("the time of the event is no date", at: offset)
        }
        self.time = time
    }

    /// The event in the form of a length of ``byteCounts``; what follows the time is zero.
    public func payload(byteCount: Int) -> [UInt8] {
        var writer = ByteWriter(capacity: byteCount)
        switch byteCount {
        case 10, 14: writer.u16(UInt16(code) ?? 0)
        case 12: writer.u32(UInt32(code) ?? 0)
        default: writer.textField(Array(code.utf8), 24)
        }
        writer.u8(verification)
        writer.u8(state)
        writer.append(PackedTime.encodeSixBytes(time))
        writer.zeros(byteCount - writer.count)
        return writer.bytes
    }
}
