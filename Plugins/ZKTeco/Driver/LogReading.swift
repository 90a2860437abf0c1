internal import DeviceKit
internal import ZKTecoWire

/// A terminal's log while it is being read: from its oldest record to its end, in pages.
///
/// Records that the cursor covers are passed over, but only after a digest of their bytes has shown that they are the
/// ones that were read before.
struct LogReading: Sendable {
    /// The cursor of the last page; the next poll continues this reading when it asks for the page after it.
    private(set) var cursor: Cursor?
    let startedAt: Duration
    let inventory: LogInventory

    private let serialNumber: String
    private let layout: RecordLayout
    private let bulk: BulkRead
    private let source: BulkRead.Source
    /// Where the records end, counted from the start of the set.
    private let endOffset: Int
    /// The place in the set after the bytes that were fetched.
    private var offset: Int
    private var buffer = ByteQueue()
    private var digest = LogDigest()
    private var recordCount: UInt64 = 0
    /// What has to be verified before the first record is delivered.
    private var covered: ZKTecoCursor?
    private var reset: SourceReset?

    private static let prefixByteCount = 4

    /// Prepares the log and finds out its layout.
    /// - Parameter covered: how far the journal has it.
    /// - Returns: `nil` for an empty log.
    static func begin(
        _ bulk: BulkRead, serialNumber: String, covered: ZKTecoCursor?, inventory: LogInventory, now: Duration
    ) async throws(DeviceFault) -> LogReading? {
        let source = try await bulk.open(.log)
        let total: Int
        let first: [UInt8]
        switch source {
        case .whole(let bytes):
            total = bytes.count
            first = bytes
        case .prepared(let byteCount):
            total = byteCount
            guard total >= prefixByteCount else { return nil }
            first = try await bulk.chunk(start: 0, byteCount: min(total, ChunkRequest.maximumByteCount))
        }
        guard let following = try followingByteCount(first, total: total) else { return nil }
        let records = first.dropFirst(prefixByteCount).prefix(following)
        let layout = try Self.layout(bulk.settings, following, inventory.recordCount, records)
        return LogReading(
            bulk: bulk, source: source, serialNumber: serialNumber, layout: layout, first: records,
            endOffset: prefixByteCount + following, covered: covered, inventory: inventory, now: now)
    }

    private init(
        bulk: BulkRead, source: BulkRead.Source, serialNumber: String, layout: RecordLayout,
        first: ArraySlice<UInt8>, endOffset: Int, covered: ZKTecoCursor?, inventory: LogInventory, now: Duration
    ) {
        self.bulk = bulk
        self.source = source
        self.serialNumber = serialNumber
        self.layout = layout
        self.endOffset = endOffset
        self.inventory = inventory
        self.startedAt = now
        offset = Self.prefixByteCount + first.count
        buffer.append(first)
        self.covered = covered
        if let covered { checkIdentity(covered) }
    }

    /// The set's own length: some firmware appends a few bytes after the records. `nil` for an empty log.
    private static func followingByteCount(_ first: [UInt8], total: Int) throws(DeviceFault) -> Int? {
        if first.isEmpty { return nil }
        var reader = ByteReader(first)
        guard let following = try? reader.u32(), Int(following) <= total - prefixByteCount else {
            throw DeviceFault(
                .incomplete, "the log says that it is longer than the \(total) bytes that the terminal sends",
                evidence: first.prefix(16))
        }
        return following == 0 ? nil : Int(following)
    }

    private static func layout(
        _ settings: ZKTecoSettings, _ byteCount: Int, _ recordCount: Int?, _ sample: ArraySlice<UInt8>
    ) throws(DeviceFault) -> RecordLayout {
        if let chosen = RecordLayout(rawValue: settings.recordLayout.rawValue) { return chosen }
        if let found = LayoutChoice.layout(byteCount: byteCount, recordCount: recordCount, sample: sample) {
            return found
        }
        let count = recordCount.map { String($0) } ?? "an unknown number of"
        throw DeviceFault(
            .malformed,
            "the layout of the log is not known: \(byteCount) bytes for \(count) records. Set records, or report the model",
            evidence: sample.prefix(128))
    }

    var needsPeople: Bool { layout == .bytes8 || layout == .bytes8B }
    var layoutName: String { layout.rawValue }

    private var isAtEnd: Bool { buffer.count < layout.byteCount && offset >= endOffset }

    // MARK: Pages

    /// The next page: at most `limit` records, and no more than one chunk is fetched for them.
    mutating func page(limit: Int, people: [UInt16: String]) async throws(DeviceFault) -> PollPage {
        try await skipCovered()
        if buffer.count < layout.byteCount { try await fetch() }
        var records: [PunchRecord] = []
        var rejected: [RejectedRecord] = []
        records.reserveCapacity(min(limit, buffer.count / layout.byteCount))
        while records.count + rejected.count < limit, let bytes = takeRecord() {
            append(bytes, people: people, to: &records, &rejected)
        }
        if isAtEnd, buffer.count > 0 {
            // A tail that is no record. It is not hashed: it may be the beginning of one.
            rejected.append(
                RejectedRecord(reason: "the log ends within a record", bytes: buffer.take(buffer.count) ?? []))
        }
        cursor = ZKTecoCursor(serialNumber: serialNumber, recordCount: recordCount, digest: digest.value).cursor
        defer { reset = nil }
        return PollPage(
            records: records, rejected: rejected, cursor: cursor, hasMore: !isAtEnd, inventory: inventory,
            reset: reset)
    }

    private mutating func takeRecord() -> [UInt8]? {
        guard let bytes = buffer.take(layout.byteCount) else { return nil }
        digest.add(bytes[...])
        recordCount += 1
        return bytes
    }

    private func append(
        _ bytes: [UInt8], people: [UInt16: String], to records: inout [PunchRecord],
        _ rejected: inout [RejectedRecord]
    ) {
        do throws(WireError) {
            let record = try layout.decode(bytes[...])
            // The short forms have the slot only; somebody who was deleted leaves the number.
            let code = record.code ?? record.uid.map { people[$0] ?? String($0) } ?? ""
            guard !code.isEmpty else { throw WireError("the record names nobody") }
            records.append(RecordMapping.punch(record, code: code, layout: layout, bytes: bytes[...]))
        } catch {
            rejected.append(RejectedRecord(reason: error.description, bytes: bytes))
        }
    }

    /// Fetches the next chunk of a prepared set.
    private mutating func fetch() async throws(DeviceFault) {
        guard offset < endOffset, case .prepared = source else { return }
        let wanted = min(ChunkRequest.maximumByteCount, endOffset - offset)
        buffer.append(try await bulk.chunk(start: offset, byteCount: wanted))
        offset += wanted
    }

    // MARK: What the journal has already

    private mutating func checkIdentity(_ covered: ZKTecoCursor) {
        if covered.serialNumber != serialNumber {
            forget(
                .deviceReplaced,
                "the terminal has the serial number \(serialNumber), the log was read from \(covered.serialNumber)")
        } else if covered.recordCount > UInt64((endOffset - Self.prefixByteCount) / layout.byteCount) {
            forget(
                .logRewritten,
                "the log is shorter than the \(covered.recordCount) records that were read from it before")
        }
    }

    private mutating func forget(_ reason: SourceReset.Reason, _ message: String) {
        covered = nil
        reset = SourceReset(reason, message)
    }

    /// Reads over the covered records and compares. When they are not the same, the reading begins anew.
    private mutating func skipCovered() async throws(DeviceFault) {
        guard let covered else { return }
        while recordCount < covered.recordCount {
            if buffer.count < layout.byteCount { try await fetch() }
            guard takeRecord() != nil else { break }
        }
        guard recordCount == covered.recordCount, digest.value == covered.digest else {
            forget(
                .logRewritten, "the log no longer begins with the \(covered.recordCount) records that were read before")
            try await rewind()
            return
        }
        self.covered = nil
    }

    private mutating func rewind() async throws(DeviceFault) {
        buffer = ByteQueue()
        digest = LogDigest()
        recordCount = 0
        switch source {
        case .whole(let bytes):
            buffer.append(bytes[Self.prefixByteCount..<endOffset])
        case .prepared:
            offset = Self.prefixByteCount
            try await fetch()
        }
    }

    /// Releases what the terminal holds ready.
    func finish() async throws(DeviceFault) {
        if case .prepared = source { try await bulk.free() }
    }
}
