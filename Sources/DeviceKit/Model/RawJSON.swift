/// The text of one JSON object. Built by hand because a log has 100,000 records and an encoder costs 50 times as much.
public struct RawJSON: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    public static let empty = RawJSON(trusted: "{}")

    /// `text` must already be a JSON object, for example one that the journal stored.
    public init(trusted text: String) { self.text = text }

    public var description: String { text }
}

/// Writes one JSON object member by member, in order, with every string escaped.
public struct JSONObjectWriter: Sendable {
    private var bytes: [UInt8] = [0x7B]

    public init(capacity: Int = 128) { bytes.reserveCapacity(capacity) }

    /// Numbers beyond 64 bits are held at the ends of the range.
    @inlinable
    public mutating func member(_ key: StaticString, _ value: some BinaryInteger) {
        integer(key, Int64(clamping: value))
    }

    @usableFromInline
    mutating func integer(_ key: StaticString, _ value: Int64) {
        begin(key)
        bytes.append(contentsOf: String(value).utf8)
    }

    /// `true` or `false`.
    public mutating func member(_ key: StaticString, _ value: Bool) {
        begin(key)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// A text, escaped.
    public mutating func member(_ key: StaticString, _ value: String) {
        begin(key)
        JSONText.append(value, to: &bytes)
    }

    /// `null` for `nil`.
    public mutating func member(_ key: StaticString, _ value: String?) {
        guard let value else {
            begin(key)
            bytes.append(contentsOf: "null".utf8)
            return
        }
        member(key, value)
    }

    /// An object that is JSON already, as it stands.
    public mutating func member(_ key: StaticString, _ value: RawJSON) {
        begin(key)
        bytes.append(contentsOf: value.text.utf8)
    }

    /// Any JSON value.
    public mutating func member(_ key: StaticString, _ value: JSONNode) {
        begin(key)
        bytes.append(contentsOf: value.text().utf8)
    }

    /// Bytes as lower-case hexadecimal text.
    public mutating func member(_ key: StaticString, hex value: ArraySlice<UInt8>) {
        begin(key)
        bytes.append(0x22)
        value.withUnsafeBufferPointer { value in
            for byte in value {
                bytes.append(JSONText.hexDigit(byte >> 4))
                bytes.append(JSONText.hexDigit(byte & 0xF))
            }
        }
        bytes.append(0x22)
    }

    /// Bytes as lower-case hexadecimal text.
    public mutating func member(_ key: StaticString, hex value: [UInt8]) { member(key, hex: value[...]) }

    /// The finished object.
    public consuming func finish() -> RawJSON {
        bytes.append(0x7D)
        return RawJSON(trusted: String(decoding: bytes, as: UTF8.self))
    }

    private mutating func begin(_ key: StaticString) {
        if bytes.count > 1 { bytes.append(0x2C) }
        bytes.append(0x22)
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(0x22)
        bytes.append(0x3A)
    }
}

/// JSON text of single values.
public enum JSONText {
    /// Appends `value` as a quoted JSON string: quotes, backslashes and control characters escaped.
    public static func append(_ value: String, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        for byte in value.utf8 {
            switch byte {
            case 0x22: bytes.append(contentsOf: [0x5C, 0x22])
            case 0x5C: bytes.append(contentsOf: [0x5C, 0x5C])
            case 0x0A: bytes.append(contentsOf: [0x5C, 0x6E])
            case 0x0D: bytes.append(contentsOf: [0x5C, 0x72])
            case 0x09: bytes.append(contentsOf: [0x5C, 0x74])
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: [0x5C, 0x75, 0x30, 0x30, hexDigit(byte >> 4), hexDigit(byte & 0xF)])
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x57 + nibble }
}
