internal import DeviceKit
internal import Journal
internal import MusterHost

/// What the journal keeps of one device: punches by identity, the cursor with them, counters, and the status. A commit is
/// whole or not at all, and outlives the host.
struct ModelJournal {
    private struct Identity: Hashable {
        var code: String
        var time: Instant
    }

    private var rows: [Identity: Int32] = [:]
    private(set) var cursor: StoredCursor?
    private(set) var received = 0
    private(set) var journaled = 0
    private(set) var duplicates = 0
    private(set) var rejected = 0
    private var epoch = 1

    var rowCount: Int { rows.count }

    /// - Returns: the receipt, and the numbers of the punches that the journal did not have.
    mutating func commit(_ entry: JournalEntry) -> (CommitReceipt, new: [Int32]) {
        var new: [Int32] = []
        for punch in entry.punches {
            let identity = Identity(code: punch.code, time: punch.time)
            let number = Int32(truncatingIfNeeded: punch.record.verification.raw)
            if rows.updateValue(number, forKey: identity) == nil { new.append(number) }
        }
        if entry.beginsEpoch { epoch += 1 }
        switch entry.cursor {
        case .keep: break
        case .set(let place, let floor, let logTime):
            cursor = StoredCursor(
                cursor: place, floor: floor, logTime: logTime ?? cursor?.logTime, epoch: epoch)
        case .clear: cursor = nil
        }
        received += entry.punches.count + entry.rejected.count
        journaled += new.count
        duplicates += entry.punches.count - new.count
        rejected += entry.rejected.count
        let receipt = CommitReceipt(
            journaled: new.count, duplicates: entry.punches.count - new.count, rejected: entry.rejected.count,
            position: Int64(received))
        return (receipt, new)
    }

    /// The punches in a span of time.
    func moments(in span: ClosedRange<Instant>) -> Set<Intake.Moment> {
        Set(rows.keys.lazy.filter { span.contains($0.time) }.map { Intake.Moment(code: $0.code, instant: $0.time) })
    }
}
