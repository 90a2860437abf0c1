internal import DeviceKit
internal import ZKTecoWire

/// A terminal's log while it is being read: from its oldest record to its end, in pages.
///
/// Records that the cursor covers are passed over, but only after a digest of their bytes has shown that they are the
/// ones that were read before. Where the end of the log is read alone, that is the digests of the last ones.
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
    /// Why the end of the log could not be read alone.
    private var failedTail: String?

    private static let prefixByteCount = 4

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
        var tail = TailOutcome.notTried
        switch source {
        case .whole(let bytes):
            total = bytes.count
            first = bytes
        case .prepared(let byteCount):
            total = byteCount
            guard total >= prefixByteCount else { return nil }
            if prefersTail, let covered, covered.serialNumber == serialNumber {
                tail = try await readTail(
                    bulk, source, covered: covered, total: total, inventory: inventory, time: time)
                if case .read(let reading) = tail { return reading }
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
        reading.failedTail = tail.failure
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

    // MARK: The tail

    private enum TailOutcome {
        case notTried
        case read(LogReading)
        /// Why everything has to be read.
        case failed(String)

        var failure: String? {
            if case .failed(let reason) = self { return reason }
            return nil
        }
    }

    /// Reads from the last covered records on, and compares these.
    ///
    /// That a terminal honours the start of a chunk is not verified on hardware: it must, as every client reads in
    /// chunks, but nobody is known to have skipped the first ones. The comparison decides.
    private static func readTail(
        _ bulk: BulkRead, _ source: BulkRead.Source, covered: ZKTecoCursor, total: Int, inventory: LogInventory,
        time: any TimeSource
    ) async throws(DeviceFault) -> TailOutcome {
        let chosen = RecordLayout(rawValue: bulk.settings.recordLayout.rawValue)
        guard let layout = covered.layout, layout == chosen ?? layout, layout != .bytes22, !covered.lastDigests.isEmpty,
            covered.recordCount <= UInt64(Int32.max)
        else { return .notTried }
        let coveredEnd = prefixByteCount + Int(covered.recordCount) * layout.byteCount
        let start = coveredEnd - covered.lastDigests.count * layout.byteCount
        // The prefix is not read: the count has to explain the length, else the log is looked at as a whole.
        let counted = inventory.recordCount.map { prefixByteCount + $0 * layout.byteCount }
        guard start >= prefixByteCount, coveredEnd <= total, counted == nil || counted == total,
            (total - prefixByteCount).isMultiple(of: layout.byteCount)
        else { return .notTried }
        let bytes: [UInt8]
        do throws(DeviceFault) {
            bytes = try await bulk.chunk(start: start, byteCount: min(bulk.chunkByteCount, total - start))
        } catch {
            guard error.code == .incomplete || error.code == .oversize else { throw error }
            return .failed("the terminal does not give the end of its log alone: \(error.message)")
        }
        let overlap = bytes.prefix(coveredEnd - start)
        let digests = stride(from: 0, to: overlap.count, by: layout.byteCount).map {
            LogDigest.of(Array(overlap[$0..<$0 + layout.byteCount]))
        }
        guard digests == covered.lastDigests else {
            return .failed("the last records that were read before are no longer at their place")
        }
        var reading = LogReading(
            bulk: bulk, source: source, serialNumber: covered.serialNumber,
            shape: LogShape(layout: layout, start: prefixByteCount, byteCount: total - prefixByteCount),
            offset: start + bytes.count, inventory: inventory, time: time)
        reading.buffer.append(bytes.dropFirst(overlap.count))
        reading.digest = LogDigest(covered.digest)
        reading.recordCount = covered.recordCount
        reading.lastDigests = covered.lastDigests
        reading.readInFullAt = covered.readInFullAt
        return .read(reading)
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

    private mutating func checkIdentity(_ covered: ZKTecoCursor) {
        if covered.serialNumber != serialNumber {
            forget(
                .deviceReplaced,
                "the terminal has the serial number \(serialNumber), the log was read from \(covered.serialNumber)")
        } else if covered.recordCount > UInt64((endOffset - startOffset) / layout.byteCount) {
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

    /// Reads over the covered records and compares. When they are not the same, the reading begins anew.
    private mutating func skipCovered() async throws(DeviceFault) {
        guard let covered else { return }
        while recordCount < covered.recordCount {
            if buffer.count < neededByteCount { try await fetch() }
            guard takeRecord() != nil else { break }
        }
        guard recordCount == covered.recordCount, digest.value == covered.digest else {
            forget(
                covered.lossReason,
                "the log no longer begins with the \(covered.recordCount) records that were read before")
            try await rewind()
            return
        }
        self.covered = nil
        guard let failedTail else { return }
        // All records are as they were, so it was the terminal that did not give what was asked for.
        refusesTails = true
        bulk.log.info("the log is read in full from now on", ["reason": failedTail])
    }

    private mutating func rewind() async throws(DeviceFault) {
        buffer = ByteQueue()
        digest = LogDigest()
        recordCount = 0
        lastDigests = []
        switch source {
        case .whole(let bytes):
            buffer.append(bytes[startOffset..<endOffset])
        case .prepared:
            offset = startOffset
            try await fetch()
        }
    }

    /// Releases what the terminal holds ready.
    func finish() async throws(DeviceFault) {
        if case .prepared = source { try await bulk.free() }
    }
}
