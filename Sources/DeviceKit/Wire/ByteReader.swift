/// Reads numbers and bytes from front to back, and never past the end.
public struct ByteReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var index: Int

    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    /// Bytes that are left.
    public var remaining: Int { bytes.endIndex - index }
    /// Bytes that have been read.
    public var offset: Int { index - bytes.startIndex }

    /// One byte.
    public mutating func u8() throws(WireError) -> UInt8 {
        try require(1)
        defer { index += 1 }
        return bytes[index]
    }

    /// Little-endian.
    public mutating func u16() throws(WireError) -> UInt16 {
        try require(2)
        defer { index += 2 }
        return UInt16(bytes[index]) | UInt16(bytes[index + 1]) << 8
    }

    /// Little-endian.
    public mutating func u32() throws(WireError) -> UInt32 {
        let low = try u16()
        let high = try u16()
        return UInt32(low) | UInt32(high) << 16
    }

    /// Little-endian.
    public mutating func u64() throws(WireError) -> UInt64 {
        let low = try u32()
        let high = try u32()
        return UInt64(low) | UInt64(high) << 32
    }

    /// Little-endian.
    public mutating func i32() throws(WireError) -> Int32 { Int32(bitPattern: try u32()) }

    /// - Parameter count: zero or more.
    public mutating func take(_ count: Int) throws(WireError) -> ArraySlice<UInt8> {
        try require(count)
        defer { index += count }
        return bytes[index..<index + count]
    }

    /// A text field of fixed length: its bytes up to the first NUL.
    public mutating func textField(_ count: Int) throws(WireError) -> ArraySlice<UInt8> {
        try take(count).prefix { $0 != 0 }
    }

    /// Passes over bytes.
    public mutating func skip(_ count: Int) throws(WireError) { _ = try take(count) }

    /// Everything that is left.
    public mutating func rest() -> ArraySlice<UInt8> {
        defer { index = bytes.endIndex }
        return bytes[index...]
    }

    private func require(_ count: Int) throws(WireError) {
        guard count >= 0, count <= remaining else {
            throw WireError("\(count) bytes were expected, \(remaining) are left", at: offset)
        }
    }
}
