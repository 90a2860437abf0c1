/// Attendance records in the terminal's own form, held as encoded bytes.
///
/// A value: a copy is a snapshot, and costs one pointer per 1,024 records. An append after a copy duplicates the last
/// segment only, so neither a prepared read nor a growing log ever copies the whole log.
struct RecordLog: Sendable, Equatable {
    /// 8, 16, 40…: every record is this long.
    let recordByteCount: Int
    private(set) var count = 0
    /// Records of the first segment that are gone.
    private var gone = 0
    private var segments: [[UInt8]] = []

    private static let recordsPerSegment = 1_024

    init(recordByteCount: Int) {
        self.recordByteCount = recordByteCount
    }

    /// Bytes of the set as a client reads it: a u32 with the number of bytes that follow, then the records.
    var setByteCount: Int { 4 + count * recordByteCount }

    /// - Parameter record: exactly ``recordByteCount`` bytes.
    mutating func append(_ record: [UInt8]) {
        precondition(record.count == recordByteCount, "a log holds records of one length")
        if (gone + count) % Self.recordsPerSegment == 0 {
            var segment: [UInt8] = []
            segment.reserveCapacity(Self.recordsPerSegment * recordByteCount)
            segments.append(segment)
        }
        segments[segments.count - 1].append(contentsOf: record)
        count += 1
    }

    /// Forgets the oldest record.
    mutating func removeFirst() {
        guard count > 0 else { return }
        gone += 1
        count -= 1
        if gone == Self.recordsPerSegment || count == 0 {
            segments.removeFirst()
            gone = 0
        }
    }

    /// The bytes of the set from `start`, at most `byteCount` of them and none past the end.
    func setBytes(from start: Int, byteCount: Int) -> [UInt8] {
        let end = min(start + byteCount, setByteCount)
        guard start >= 0, start < end else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(end - start)
        let prefix = UInt32(truncatingIfNeeded: count * recordByteCount)
        for offset in start..<max(start, min(end, 4)) {
            bytes.append(UInt8(truncatingIfNeeded: prefix >> (8 * UInt32(offset))))
        }
        appendRecordBytes(from: max(start - 4, 0), to: end - 4, into: &bytes)
        return bytes
    }

    private func appendRecordBytes(from start: Int, to end: Int, into bytes: inout [UInt8]) {
        let segmentByteCount = Self.recordsPerSegment * recordByteCount
        var offset = start + gone * recordByteCount
        let end = end + gone * recordByteCount
        while offset < end {
            let segment = segments[offset / segmentByteCount]
            let first = offset % segmentByteCount
            let last = min(first + end - offset, segment.count)
            bytes.append(contentsOf: segment[first..<last])
            offset += last - first
        }
    }
}
