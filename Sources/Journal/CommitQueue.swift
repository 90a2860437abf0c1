internal import DeviceKit

/// Gathers commits of many devices into one transaction.
///
/// While a transaction runs, what arrives waits for the next one, which begins at once: a lone punch never waits for
/// company, and a hundred devices share a sync. A transaction takes at most ``maximumPunchCount`` punches, unless one
/// entry alone has more.
actor CommitQueue {
    typealias Outcome = Result<CommitReceipt, JournalError>
    typealias Write = @Sendable ([JournalEntry]) async -> Result<[CommitReceipt], JournalError>

    static let maximumPunchCount = 1_000

    private struct Waiting {
        let entry: JournalEntry
        let resume: CheckedContinuation<Outcome, Never>
    }

    private let write: Write
    private var waiting: [Waiting] = []
    private var isWriting = false
    /// Transactions so far. A test reads it.
    private(set) var transactionCount = 0

    init(write: @escaping Write) { self.write = write }

    func commit(_ entry: JournalEntry) async -> Outcome {
        await withCheckedContinuation { continuation in
            waiting.append(Waiting(entry: entry, resume: continuation))
            guard !isWriting else { return }
            isWriting = true
            // Owned by the queue: it ends when nobody waits any more. Not cancelled with its first waiter, because the
            // others' punches are in the same transaction.
            Task { await writeUntilEmpty() }
        }
    }

    private func writeUntilEmpty() async {
        while !waiting.isEmpty {
            let batch = takeBatch()
            transactionCount += 1
            switch await write(batch.map(\.entry)) {
            case .success(let receipts):
                for (waiter, receipt) in zip(batch, receipts) { waiter.resume.resume(returning: .success(receipt)) }
            case .failure(let error):
                for waiter in batch { waiter.resume.resume(returning: .failure(error)) }
            }
        }
        isWriting = false
    }

    private func takeBatch() -> [Waiting] {
        var count = 0
        var punches = 0
        for waiter in waiting {
            let size = waiter.entry.punches.count
            if count > 0, punches + size > Self.maximumPunchCount { break }
            count += 1
            punches += size
        }
        let batch = Array(waiting.prefix(count))
        waiting.removeFirst(count)
        return batch
    }
}
