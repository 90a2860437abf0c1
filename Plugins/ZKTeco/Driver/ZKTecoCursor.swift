internal import DeviceKit

/// How far a terminal's log has been read: a number of records and a digest of all their bytes.
///
/// The digest makes skipping safe: records are passed over only when the terminal still holds the very bytes that the
/// journal has taken.
struct ZKTecoCursor: Sendable, Hashable {
    var serialNumber: String
    var recordCount: UInt64
    var digest: UInt64

    private static let version: UInt8 = 1

    init(serialNumber: String, recordCount: UInt64, digest: UInt64) {
        self.serialNumber = serialNumber
        self.recordCount = recordCount
        self.digest = digest
    }

    /// - Throws: ``DeviceFault/Code/unsupported`` for a cursor that this version did not write.
    init(_ cursor: Cursor) throws(DeviceFault) {
        do throws(WireError) {
            var reader = ByteReader(cursor.bytes)
            guard try reader.u8() == Self.version else { throw WireError("another version") }
            recordCount = try reader.u64()
            digest = try reader.u64()
            serialNumber = String(decoding: reader.rest(), as: UTF8.self)
        } catch {
            throw DeviceFault(
                .unsupported, "the stored place in the log is of another version (\(error)): use a newer muster")
        }
    }

    var cursor: Cursor? {
        var writer = ByteWriter(capacity: 64)
        writer.u8(Self.version)
        writer.u64(recordCount)
        writer.u64(digest)
        // Serial numbers have some 13 characters; a terminal that sends thousands gets no larger cursor.
        writer.append(serialNumber.utf8.prefix(256))
        return Cursor(bytes: writer.bytes)
    }
}

/// FNV-1a over 64 bits: no secret depends on it, it tells a log from one that was rewritten.
struct LogDigest: Sendable, Hashable {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ bytes: ArraySlice<UInt8>) {
        var value = value
        bytes.withUnsafeBufferPointer { bytes in
            for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        self.value = value
    }
}
