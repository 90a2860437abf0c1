internal import GRDB
internal import Synchronization

/// Whether the journal may still be written.
///
/// After a write or a sync has failed nobody knows what is on the disk, and the next sync may succeed without having
/// written what the failed one left out. So nothing is written any more, and nothing acknowledged, until the next start
/// reads what is really there.
final class JournalTrust: Sendable {
    private let failure = Mutex<JournalError?>(nil)

    /// - Throws: the failure that ended the trust.
    func check() throws {
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Only what the disk did counts: a full one and a wrong statement leave the journal as it was.
    func note(_ error: any Error, path: String) {
        guard let error = error as? DatabaseError, [.SQLITE_IOERR, .SQLITE_CORRUPT].contains(error.resultCode) else {
            return
        }
        failure.withLock { $0 = $0 ?? JournalDatabase.journalError(error, path: path) }
    }
}
