/// Builds bytes from front to back. Numbers are little-endian.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init(capacity: Int = 0) { bytes.reserveCapacity(max(capacity, 0)) }

    public var count: Int { bytes.count }

    /// One byte.
    public mutating func u8(_ value: UInt8) { bytes.append(value) }

    /// Two bytes, the low one first.
    public mutating func u16(_ value: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: value))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    }

    /// Four bytes, the lowest first.
    public mutating func u32(_ value: UInt32) {
        u16(UInt16(truncatingIfNeeded: value))
        u16(UInt16(truncatingIfNeeded: value >> 16))
    }

    /// Eight bytes, the lowest first.
    public mutating func u64(_ value: UInt64) {
        u32(UInt32(truncatingIfNeeded: value))
        u32(UInt32(truncatingIfNeeded: value >> 32))
    }

    /// Four bytes in two's complement, the lowest first.
    public mutating func i32(_ value: Int32) { u32(UInt32(bitPattern: value)) }

    /// Bytes as they are.
    public mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// A text field of fixed length: cut to `count` bytes, filled up with NUL.
    public mutating func textField(_ text: some Collection<UInt8>, _ count: Int) {
        let cut = text.prefix(max(count, 0))
        bytes.append(contentsOf: cut)
        zeros(count - cut.count)
    }

    /// So many NUL bytes; none for a negative count.
    public mutating func zeros(_ count: Int) {
        bytes.append(contentsOf: repeatElement(0, count: max(count, 0)))
    }
}
