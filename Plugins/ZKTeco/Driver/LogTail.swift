internal import DeviceKit
internal import ZKTecoWire

/// The end of a log, from the records on that were read last.
///
/// They are looked for at their place. A log that overwrites its oldest records keeps its length while its records move
/// towards its beginning, so there they are looked for before their place, too.
struct LogTail: Sendable {
    var layout: RecordLayout
    /// What stands behind the known records, as far as it was fetched.
    var bytes: [UInt8]
    /// How many records stand before these bytes in the log.
    var recordCount: Int
    /// The place in the set after the bytes that were fetched.
    var offset: Int

    enum Outcome: Sendable {
        case notTried
        case found(LogTail)
        /// The known records end nowhere behind so many records, or the terminal does not give what it is asked for.
        case failed(String, behind: Int)
    }

    /// How far back they are looked for. A log that has moved farther is read in full.
    private static let searchedRecordCount = 4_096
    /// What is looked at first: of a few punches since the last poll there is no more.
    private static let firstRecordCount = 64

    /// Reads from the last covered records on, and compares these.
    ///
    /// That a terminal honours the start of a chunk is not verified on hardware: it must, as every client reads in
    /// chunks, but nobody is known to have skipped the first ones. The comparison decides.
    /// - Parameter total: bytes of the prepared set.
    static func read(
        _ bulk: BulkRead, covered: ZKTecoCursor, total: Int, inventory: LogInventory
    ) async throws(DeviceFault) -> Outcome {
        let chosen = RecordLayout(rawValue: bulk.settings.recordLayout.rawValue)
        let room = total - LogShape.prefixByteCount
        guard let layout = covered.layout, layout == chosen ?? layout, layout != .bytes22, !covered.lastDigests.isEmpty,
            covered.recordCount <= UInt64(Int32.max), room.isMultiple(of: layout.byteCount)
        else { return .notTried }
        let search = LogTail.Search(
            bulk: bulk, layout: layout, known: covered.lastDigests, count: room / layout.byteCount)
        // The prefix is not read: the count has to explain the length, else the log is looked at as a whole.
        guard inventory.recordCount.map({ $0 == search.count }) ?? true else { return .notTried }
        do throws(DeviceFault) {
            let place = Int(covered.recordCount)
            if let tail = try await search.tail(at: place) { return .found(tail) }
            guard inventory.mayHaveOverwritten(recordCount: search.count) else {
                // A shorter log is another one: there is nothing to say of the terminal.
                guard place <= search.count else { return .notTried }
                return .failed("the last records that were read before are no longer at their place", behind: 0)
            }
            return try await search.tail(before: min(place, search.count))
        } catch {
            guard error.code == .incomplete || error.code == .oversize else { throw error }
            return .failed("the terminal does not give the end of its log alone: \(error.message)", behind: 0)
        }
    }

    /// Looks for known records in a prepared log.
    private struct Search: Sendable {
        let bulk: BulkRead
        let layout: RecordLayout
        /// Digests of consecutive records, at least one.
        let known: [UInt64]
        /// Records of the log.
        let count: Int

        private func offset(_ index: Int) -> Int { LogShape.prefixByteCount + index * layout.byteCount }

        /// - Parameter end: no more than one chunk is read, so the records may end before it.
        private func records(from index: Int, to end: Int) async throws(DeviceFault) -> [UInt8] {
            let wanted = min(bulk.chunkByteCount, offset(end) - offset(index))
            return try await bulk.chunk(start: offset(index), byteCount: wanted)
        }

        /// The known ones end behind so many records; `nil` when others do.
        func tail(at place: Int) async throws(DeviceFault) -> LogTail? {
            let start = place - known.count
            guard start >= 0, place <= count else { return nil }
            let bytes = try await records(from: start, to: count)
            guard LogDigest.each(bytes, layout).starts(with: known) else { return nil }
            return LogTail(
                layout: layout, bytes: Array(bytes.dropFirst(known.count * layout.byteCount)), recordCount: place,
                offset: offset(start) + bytes.count)
        }

        /// The known ones end somewhere before so many records.
        func tail(before end: Int) async throws(DeviceFault) -> Outcome {
            let none = "the last records that were read before are not among the last ones of the log"
            // Of fewer some equal ones may stand somewhere by chance.
            guard known.count == ZKTecoCursor.overlap else { return .failed(none, behind: end) }
            var (start, bytes) = (end, [UInt8]())
            let farthest = max(end - LogTail.searchedRecordCount, 0)
            while start > farthest {
                let step = start == end ? LogTail.firstRecordCount : bulk.chunkByteCount / layout.byteCount
                let next = max(start - max(step, known.count), farthest)
                bytes = try await records(from: next, to: start) + bytes
                start = next
                guard let found = LogDigest.each(bytes, layout).endOfLast(known) else { continue }
                guard try await isThere(start + found) else {
                    return .failed("the terminal does not give the end of its log alone", behind: 0)
                }
                return .found(
                    LogTail(
                        layout: layout, bytes: Array(bytes.dropFirst(found * layout.byteCount)),
                        recordCount: start + found,
                        offset: offset(end)))
            }
            return .failed(none, behind: start)
        }

        /// A terminal that gives other records than those that it was asked for would show the known ones at a place
        /// where they are not. Asked again from another start, it shows others.
        private func isThere(_ end: Int) async throws(DeviceFault) -> Bool {
            let bytes = try await records(from: end - known.count + 1, to: end)
            return LogDigest.each(bytes, layout) == Array(known.dropFirst())
        }
    }
}

extension LogDigest {
    /// Of each of consecutive records.
    static func each(_ bytes: [UInt8], _ layout: RecordLayout) -> [UInt64] {
        stride(from: 0, through: bytes.count - layout.byteCount, by: layout.byteCount).map {
            LogDigest.of(Array(bytes[$0..<$0 + layout.byteCount]))
        }
    }
}

extension [UInt64] {
    /// How many elements there are up to the end of the last place where `run` stands; `nil` when it stands nowhere.
    fileprivate func endOfLast(_ run: [UInt64]) -> Int? {
        guard !run.isEmpty, run.count <= count else { return nil }
        return (run.count...count).last { self[($0 - run.count)..<$0].elementsEqual(run) }
    }
}
