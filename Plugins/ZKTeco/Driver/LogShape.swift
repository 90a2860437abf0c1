internal import DeviceKit
internal import ZKTecoWire

/// Where the records of a set stand, and how they are laid out: found out from its first bytes.
struct LogShape: Sendable, Hashable {
    var layout: RecordLayout
    /// Where the first record begins.
    var start: Int
    /// Bytes of all records.
    var byteCount: Int
    /// Something else may stand between the records or after them.
    var mayStray = false

    /// The u32 before the records: how many bytes follow.
    static let prefixByteCount = 4
    /// WL10 and AK3750 terminals: u32 length, u32 of unknown meaning, u32 length of the records. One public source.
    private static let longPrefixByteCount = 12

    init(layout: RecordLayout, start: Int, byteCount: Int) {
        self.layout = layout
        self.start = start
        self.byteCount = byteCount
    }

    /// - Parameters:
    ///   - first: the beginning of the set.
    ///   - total: bytes of the set.
    /// - Returns: `nil` for an empty log.
    init?(
        _ first: [UInt8], total: Int, _ settings: ZKTecoSettings, _ recordCount: Int?
    ) throws(DeviceFault) {
        if first.isEmpty { return nil }
        // The set's own length: some firmware appends a few bytes after the records.
        var reader = ByteReader(first)
        guard let following = try? reader.u32(), Int(following) <= total - Self.prefixByteCount else {
            throw DeviceFault(
                .incomplete, "the log says that it is longer than the \(total) bytes that the terminal sends",
                evidence: first.prefix(16))
        }
        guard following > 0 else { return nil }
        if settings.recordLayout == .auto || settings.recordLayout == .bytes22,
            let found = Self.behindLongPrefix(first, total: total)
        {
            self = found
            return
        }
        start = Self.prefixByteCount
        byteCount = Int(following)
        let sample = first.dropFirst(start).prefix(byteCount)
        if let chosen = RecordLayout(rawValue: settings.recordLayout.rawValue) {
            layout = chosen
            mayStray = !byteCount.isMultiple(of: chosen.byteCount)
        } else if let found = LayoutChoice.layout(byteCount: byteCount, recordCount: recordCount, sample: sample) {
            layout = found
        } else if let found = LayoutChoice.strayingLayout(
            byteCount: byteCount, recordCount: recordCount, sample: sample)
        {
            layout = found
            mayStray = true
        } else {
            let count = recordCount.map { String($0) } ?? "an unknown number of"
            throw DeviceFault(
                .malformed,
                "the layout of the log is not known: \(following) bytes for \(count) records. Set records, or report the model",
                evidence: sample.prefix(128))
        }
    }

    private static func behindLongPrefix(_ first: [UInt8], total: Int) -> LogShape? {
        var reader = ByteReader(first)
        guard (try? reader.skip(8)) != nil, let length = try? reader.u32(), length > 0,
            Int(length) == total - longPrefixByteCount, Int(length).isMultiple(of: RecordLayout.bytes22.byteCount),
            LayoutChoice.isCertain(.bytes22, first.dropFirst(longPrefixByteCount))
        else { return nil }
        return LogShape(layout: .bytes22, start: longPrefixByteCount, byteCount: Int(length))
    }
}
