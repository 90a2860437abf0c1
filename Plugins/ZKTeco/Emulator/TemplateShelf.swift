internal import DeviceKit
internal import ZKTecoWire

/// The fingerprint templates that the terminal holds: opaque, and invented.
struct TemplateShelf: Sendable {
    struct Place: Sendable, Hashable, Comparable {
        var uid: UInt16
        var finger: UInt8

        static func < (left: Place, right: Place) -> Bool { (left.uid, left.finger) < (right.uid, right.finger) }
    }

    private var entries: [Place: TemplateEntry] = [:]

    /// More are refused.
    static let capacity = 3_000
    /// A template is longer than this on no terminal that is known.
    static let maximumByteCount = 8_192

    var count: Int { entries.count }
    var isFull: Bool { entries.count >= Self.capacity }

    /// In the order of slots and fingers.
    var all: [TemplateEntry] { entries.sorted { $0.key < $1.key }.map(\.value) }

    subscript(uid: UInt16, finger: UInt8) -> TemplateEntry? { entries[Place(uid: uid, finger: finger)] }

    /// False when there is no room, or when it can be none.
    mutating func put(_ entry: TemplateEntry) -> Bool {
        let place = Place(uid: entry.uid, finger: entry.finger)
        guard entry.finger <= 9, (1...Self.maximumByteCount).contains(entry.bytes.count),
            entries[place] != nil || !isFull
        else { return false }
        entries[place] = entry
        return true
    }

    /// False when there was none.
    mutating func remove(uid: UInt16, finger: UInt8) -> Bool {
        entries.removeValue(forKey: Place(uid: uid, finger: finger)) != nil
    }

    mutating func remove(uid: UInt16) { entries = entries.filter { $0.key.uid != uid } }

    mutating func removeAll() { entries = [:] }

    /// Bytes that begin as templates of algorithm 10 do and mean nothing. The same seed gives the same ones.
    static func invented(uid: UInt16, finger: UInt8, seed: UInt64) -> TemplateEntry {
        var random = SplitMix64(seed: seed ^ 0x5445_4D50 ^ UInt64(uid) << 32 ^ UInt64(finger) << 24)
        let count = 400 + Int(random.next() % 800)
        var bytes: [UInt8] = [0x4D, UInt8(truncatingIfNeeded: count), 0x53, 0x53, 0x32, 0x31]
        while bytes.count < count { bytes.append(UInt8(truncatingIfNeeded: random.next() >> 32)) }
        // The last byte is not zero: clients cut off what looks like padding.
        bytes[count - 1] |= 1
        return TemplateEntry(uid: uid, finger: finger, bytes: bytes)
    }
}
