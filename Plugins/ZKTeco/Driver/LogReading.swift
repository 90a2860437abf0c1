internal import DeviceKit
internal import ZKTecoWire

/// A terminal's log while it is being read: from its oldest record to its end, in pages.
///
/// Records that the cursor covers are passed over, but only after a digest of their bytes has shown that they are the
/// ones that were read before. Where the end of the log is read alone, or where its oldest records have given way to new
/// ones, that is the digests of the last ones.
struct LogReading: Sendable {
    /// The cursor of the last page; the next poll continues this reading when it asks for the page after it.
    private(set) var cursor: Cursor?
    let startedAt: Duration
    let inventory: LogInventory

    private let serialNumber: String
    private let layout: RecordLayout
    /// Something else may stand between the records.
    private let mayStray: Bool
    private let bulk: BulkRead
    private let source: BulkRead.Source
    /// Where the records begin, counted from the start of the set.
    private let startOffset: Int
    /// Where the records end, counted from the start of the set.
    private let endOffset: Int
    /// The place in the set after the bytes that were fetched.
    private var offset: Int
    private var buffer = ByteQueue()
    private var digest = LogDigest()
    private var recordCount: UInt64 = 0
    private var lastDigests: [UInt64] = []
    private var readInFullAt: Instant
    private var refusesTails = false
    /// What has to be verified before the first record is delivered.
    private var covered: ZKTecoCursor?
    private var reset: SourceReset?
    /// Why the end of the log could not be read alone, and behind how many records it was looked for.
    private var failedTail: (reason: String, behind: Int)?
    /// The oldest records have gone since the digest of all of them was made.
    private var isDigestUnknown = false

    /// Prepares the log and finds out its layout.
    /// - Parameters:
    ///   - covered: how far the journal has it.
    ///   - prefersTail: the covered records need not be read again where their last ones are as they were.
    /// - Returns: `nil` for an empty log.
    static func begin(
        _ bulk: BulkRead, serialNumber: String, covered: ZKTecoCursor?, prefersTail: Bool, inventory: LogInventory,
        time: any TimeSource
    ) async throws(DeviceFault) -> LogReading? {
        let source = try await bulk.open(.log)
        let total: Int
        let first: [UInt8]
        var failedTail: (reason: String, behind: Int)?
        switch source {
        case .whole(let bytes):
            total = bytes.count
            first = bytes
        case .prepared(let byteCount):
            total = byteCount
            guard total >= LogShape.prefixByteCount else { return nil }
            if prefersTail, let covered, covered.serialNumber == serialNumber {
                switch try await LogTail.read(bulk, covered: covered, total: total, inventory: inventory) {
                case .found(let tail):
                    return LogReading(
                        bulk: bulk, source: source, total: total, covered: covered, tail, inventory: inventory,
                        time: time)
                case .failed(let reason, let behind): failedTail = (reason, behind)
                case .notTried: break
                }
            }
            first = try await bulk.chunk(start: 0, byteCount: min(total, bulk.chunkByteCount))
        }
        guard let shape = try LogShape(first, total: total, bulk.settings, inventory.recordCount) else { return nil }
        let records = first.dropFirst(shape.start).prefix(shape.byteCount)
        var reading = LogReading(
            bulk: bulk, source: source, serialNumber: serialNumber, shape: shape, offset: shape.start + records.count,
            inventory: inventory, time: time)
        reading.buffer.append(records)
        reading.covered = covered
        reading.failedTail = failedTail
        reading.refusesTails = covered?.refusesTails ?? false
        if let covered { reading.checkIdentity(covered) }
        return reading
    }

    private init(
        bulk: BulkRead, source: BulkRead.Source, serialNumber: String, shape: LogShape, offset: Int,
        inventory: LogInventory, time: any TimeSource
    ) {
        self.bulk = bulk
        self.source = source
        self.serialNumber = serialNumber
        layout = shape.layout
        mayStray = shape.mayStray
        startOffset = shape.start
        endOffset = shape.start + shape.byteCount
        self.offset = offset
        self.inventory = inventory
        startedAt = time.uptime()
        // A full reading; one of the tail keeps the moment of the last full one.
        readInFullAt = time.now()
    }

    /// Behind what the journal has.
    private init(
        bulk: BulkRead, source: BulkRead.Source, total: Int, covered: ZKTecoCursor, _ tail: LogTail,
        inventory: LogInventory, time: any TimeSource
    ) {
        let prefix = LogShape.prefixByteCount
        self.init(
            bulk: bulk, source: source, serialNumber: covered.serialNumber,
            shape: LogShape(layout: tail.layout, start: prefix, byteCount: total - prefix), offset: tail.offset,
            inventory: inventory, time: time)
        buffer.append(tail.bytes)
        digest = LogDigest(covered.digest)
        isDigestUnknown = covered.isDigestUnknown || UInt64(tail.recordCount) != covered.recordCount
        recordCount = UInt64(tail.recordCount)
        lastDigests = covered.lastDigests
        readInFullAt = covered.readInFullAt
    }

    var needsPeople: Bool { layout == .bytes8 || layout == .bytes8B }
    var layoutName: String { layout.rawValue }

    /// What has to be there to take a record.
    private var neededByteCount: Int { layout.byteCount + (mayStray ? RecordFiller.bytes.count : 0) }

    private var isAtEnd: Bool { buffer.count < layout.byteCount && offset >= endOffset }

    // MARK: Pages

    /// The next page: at most `limit` records, and no more than one chunk is fetched for them.
    mutating func page(limit: Int, people: [UInt16: String]) async throws(DeviceFault) -> PollPage {
        try await skipCovered()
        if buffer.count < neededByteCount { try await fetch() }
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
        cursor = place.cursor
        defer { reset = nil }
        return PollPage(
            records: records, rejected: rejected, cursor: cursor, hasMore: !isAtEnd, inventory: inventory,
            reset: reset)
    }

    private var place: ZKTecoCursor {
        var place = ZKTecoCursor(serialNumber: serialNumber, recordCount: recordCount, digest: digest.value)
        place.lastDigests = lastDigests
        place.layout = layout
        place.readInFullAt = readInFullAt
        place.refusesTails = refusesTails
        place.isDigestUnknown = isDigestUnknown
        return place
    }

    private mutating func takeRecord() -> [UInt8]? {
        while mayStray, let head = buffer.peek(layout.byteCount), LayoutChoice.isFiller(head, layout) {
            _ = buffer.take(RecordFiller.bytes.count)
        }
        guard let bytes = buffer.take(layout.byteCount) else { return nil }
        digest.add(bytes[...])
        recordCount += 1
        lastDigests.append(LogDigest.of(bytes))
        if lastDigests.count > ZKTecoCursor.overlap { lastDigests.removeFirst() }
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
        let wanted = min(bulk.chunkByteCount, endOffset - offset)
        buffer.append(try await bulk.chunk(start: offset, byteCount: wanted))
        offset += wanted
    }

    // MARK: What the journal has already

    private var mayHaveOverwritten: Bool {
        inventory.mayHaveOverwritten(recordCount: (endOffset - startOffset) / layout.byteCount)
    }

    private mutating func checkIdentity(_ covered: ZKTecoCursor) {
        if covered.serialNumber != serialNumber {
            forget(
                .deviceReplaced,
                "the terminal has the serial number \(serialNumber), the log was read from \(covered.serialNumber)")
        } else if covered.recordCount > UInt64((endOffset - startOffset) / layout.byteCount), !mayHaveOverwritten {
            forget(
                covered.lossReason,
                "the log is shorter than the \(covered.recordCount) records that were read from it before")
        }
    }

    private mutating func forget(_ reason: SourceReset.Reason, _ message: String) {
        covered = nil
        refusesTails = false
        reset = SourceReset(reason, message)
    }

    /// A place between two records.
    private struct Mark: Sendable {
        var offset: Int
        var digest = LogDigest()
        var recordCount: UInt64 = 0
        var lastDigests: [UInt64] = []
    }

    private var mark: Mark {
        Mark(offset: offset - buffer.count, digest: digest, recordCount: recordCount, lastDigests: lastDigests)
    }

    /// Reads over the covered records and compares. When they are not the same, the reading goes on behind the last of them
    /// where the oldest ones gave way to new ones, and else begins anew.
    private mutating func skipCovered() async throws(DeviceFault) {
        guard let covered else { return }
        let mayHaveOverwritten = mayHaveOverwritten
        var known: Mark?
        while recordCount < covered.recordCount {
            if buffer.count < neededByteCount { try await fetch() }
            guard takeRecord() != nil else { break }
            if covered.ends(with: lastDigests) { known = mark }
        }
        let isAtPlace = recordCount == covered.recordCount
        if isAtPlace, covered.isDigestUnknown ? known?.recordCount == recordCount : digest.value == covered.digest {
            self.covered = nil
            // All records are as they were, so it was the terminal that did not give what was asked for.
            if let failedTail { refuseTails(failedTail.reason) }
        } else if mayHaveOverwritten, let known, known.recordCount < covered.recordCount {
            self.covered = nil
            if let failedTail, known.recordCount >= UInt64(failedTail.behind + ZKTecoCursor.overlap) {
                refuseTails(failedTail.reason)
            }
            try await rewind(to: known)
        } else {
            forget(
                covered.lossReason,
                mayHaveOverwritten && known == nil
                    ? "none of the last records that were read before is left in the log: it was cleared or rewritten, "
                        + "or it is full and has overwritten them, perhaps after others that nobody has read"
                    : "the log no longer begins with the \(covered.recordCount) records that were read before")
            try await rewind(to: Mark(offset: startOffset))
        }
    }

    private mutating func refuseTails(_ reason: String) {
        refusesTails = true
        bulk.log.info("the log is read in full from now on", ["reason": reason])
    }

    private mutating func rewind(to mark: Mark) async throws(DeviceFault) {
        buffer = ByteQueue()
        digest = mark.digest
        recordCount = mark.recordCount
        lastDigests = mark.lastDigests
        switch source {
        case .whole(let bytes):
            buffer.append(bytes[mark.offset..<endOffset])
        case .prepared:
            // From the beginning of the set: not every terminal may give a chunk that does not follow the one before.
            offset = 0
            while offset <= mark.offset, offset < endOffset {
                buffer = ByteQueue()
                try await fetch()
            }
            _ = buffer.take(buffer.count - (offset - mark.offset))
        }
    }

    /// Releases what the terminal holds ready.
    func finish() async throws(DeviceFault) {
        if case .prepared = source { try await bulk.free() }
    }
}
