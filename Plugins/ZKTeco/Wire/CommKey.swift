/// How a comm key travels: mixed with the session so that it differs from time to time. It is no protection on an open
/// network, because the mixing can be undone.
public enum CommKey {
    /// What clients send as the tick byte.
    public static let usualTicks: UInt8 = 50

    /// The 4 bytes of an AUTH request.
    public static func payload(key: UInt32, session: UInt16, ticks: UInt8 = usualTicks) -> [UInt8] {
        var reversed: UInt32 = 0
        for bit in 0..<32 where key & (1 << UInt32(bit)) != 0 { reversed |= 1 << UInt32(31 - bit) }
        let mixed = reversed &+ UInt32(session)
        // XOR with "ZKSO", then the halves change places. The lowest byte is not sent: the ticks take its place.
        let low1 = UInt8(truncatingIfNeeded: mixed >> 8) ^ 0x4B
        let high0 = UInt8(truncatingIfNeeded: mixed >> 16) ^ 0x53
        let high1 = UInt8(truncatingIfNeeded: mixed >> 24) ^ 0x4F
        return [high0 ^ ticks, high1 ^ ticks, ticks, low1 ^ ticks]
    }

    /// Whether an AUTH request proves the key: the ticks that it was made with stand in its third byte.
    public static func accepts(_ payload: [UInt8], key: UInt32, session: UInt16) -> Bool {
        guard payload.count >= 4 else { return false }
        return Array(payload.prefix(4)) == Self.payload(key: key, session: session, ticks: payload[2])
    }
}
