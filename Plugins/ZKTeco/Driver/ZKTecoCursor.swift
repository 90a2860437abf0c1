internal import DeviceKit
internal import ZKTecoWire

/// How far a terminal's log has been read: a number of records, a digest of all their bytes, and a digest of each of the
/// last ones.
///
/// The digests make skipping safe: records are passed over only when the terminal still holds the very bytes that the
/// journal has taken. The last ones are compared at every poll, all of them when the log is read in full.
struct ZKTecoCursor: Sendable, Hashable {
    var serialNumber: String
    var recordCount: UInt64
    /// Of all records from the first one on.
    var digest: UInt64
    /// Of each of the last records, at most ``overlap``, the oldest first.
    var lastDigests: [UInt64] = []
    /// `nil` in a cursor of an older version.
    var layout: RecordLayout?
    /// When the log was last read in full, and found to be the one that was read before.
    var readInFullAt = Instant(secondsSince1970: 0)
    /// The oldest records gave way to new ones since all of them were hashed: of the log that is there now, the digest says
    /// nothing until it is read in full.
    var isDigestUnknown = false
    /// The terminal does not give the end of its log alone.
    var refusesTails = false
    /// The log is about to be cleared: one that is shorter or another one is then no surprise.
    var expectsClearing = false

    /// What to say of a log that is not the one that was read.
    var lossReason: SourceReset.Reason { expectsClearing ? .logCleared : .logRewritten }

    /// How many records are read again at each poll, to be compared.
    static let overlap = 8
    private static let version: UInt8 = 2
    private static let refusesTailsMark: UInt8 = 1
    private static let expectsClearingMark: UInt8 = 2
    /// Older versions pass over it, find another digest, and read the log anew.
    private static let digestUnknownMark: UInt8 = 4

    init(serialNumber: String, recordCount: UInt64, digest: UInt64) {
        self.serialNumber = serialNumber
        self.recordCount = recordCount
        self.digest = digest
    }

    /// - Throws: ``DeviceFault/Code/unsupported`` for a cursor that this version did not write.
    init(_ cursor: Cursor) throws(DeviceFault) {
        do throws(WireError) {
            var reader = ByteReader(cursor.bytes)
            let version = try reader.u8()
            guard (1...Self.version).contains(version) else { throw WireError("another version") }
            recordCount = try reader.u64()
            digest = try reader.u64()
            if version > 1 {
                readInFullAt = Instant(secondsSince1970: Int64(try reader.u32()))
                let marks = try reader.u8()
                refusesTails = marks & Self.refusesTailsMark != 0
                expectsClearing = marks & Self.expectsClearingMark != 0
                isDigestUnknown = marks & Self.digestUnknownMark != 0
                let place = Int(try reader.u8())
                layout = RecordLayout.allCases.indices.contains(place) ? RecordLayout.allCases[place] : nil
                for _ in 0..<(try reader.u8()) { lastDigests.append(try reader.u64()) }
            }
            serialNumber = String(decoding: reader.rest(), as: UTF8.self)
        } catch {
            throw DeviceFault(
                .unsupported, "the stored place in the log is of another version (\(error)): use a newer muster")
        }
    }

    private var marks: UInt8 {
        (refusesTails ? Self.refusesTailsMark : 0) | (expectsClearing ? Self.expectsClearingMark : 0)
            | (isDigestUnknown ? Self.digestUnknownMark : 0)
    }

    /// Whether these are the last records that were read.
    /// - Parameter digests: of the last ones up to a place in the log. Fewer than ``overlap`` stand at its beginning, where
    ///   others may have stood before them.
    func ends(with digests: [UInt64]) -> Bool {
        let count = min(digests.count, lastDigests.count)
        return count > 0 && digests.suffix(count) == lastDigests.suffix(count)
    }

    var cursor: Cursor? {
        var writer = ByteWriter(capacity: 128)
        writer.u8(Self.version)
        writer.u64(recordCount)
        writer.u64(digest)
        writer.u32(UInt32(clamping: readInFullAt.secondsSince1970))
        writer.u8(marks)
        writer.u8(UInt8(clamping: layout.flatMap { RecordLayout.allCases.firstIndex(of: $0) } ?? 255))
        writer.u8(UInt8(clamping: lastDigests.count))
        for digest in lastDigests { writer.u64(digest) }
        // Serial numbers have some 13 characters; a terminal that sends thousands gets no larger cursor.
        writer.append(serialNumber.utf8.prefix(256))
        return Cursor(bytes: writer.bytes)
    }
}

/// FNV-1a over 64 bits: no secret depends on it, it tells a log from one that was rewritten.
struct LogDigest: Sendable, Hashable {
    private(set) var value: UInt64

    /// - Parameter value: of what came before.
    init(_ value: UInt64 = 0xCBF2_9CE4_8422_2325) { self.value = value }

    mutating func add(_ bytes: ArraySlice<UInt8>) {
        var value = value
        bytes.withUnsafeBufferPointer { bytes in
            for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        self.value = value
    }

    static func of(_ record: [UInt8]) -> UInt64 {
        var digest = LogDigest()
        digest.add(record[...])
        return digest.value
    }
}
