package import DeviceKit
package import Journal

/// The reading of a log as a pure machine: from the place where the last poll ended, page by page, to entries for the
/// journal. ``LogPoll`` performs it.
package struct PollWork: Sendable {
    /// Where to read next.
    package private(set) var place: Cursor?
    package private(set) var summary = PollSummary()
    package private(set) var isAtEnd = false

    private let device: DeviceID
    private let zone: DeviceTimeZone
    /// Records with an earlier wall time are skipped.
    private let floor: LocalDateTime?
    private var intake: Intake
    private var idlePages = 0

    /// So many pages in a row without a record end a poll.
    package static let maximumIdlePages = 100

    /// - Parameter stored: `nil` at the first contact. The floor is fixed then, so that nothing made since is ever skipped;
    ///   a window that was widened to everything reads from the oldest record again.
    package init(
        device: DeviceID, zone: DeviceTimeZone, window: PollWindow, stored: StoredCursor?, now: Instant
    ) {
        self.device = device
        self.zone = zone
        intake = Intake(device: device, zone: zone, source: .poll)
        guard let stored else {
            floor = HistoryFloor.start(of: window, zone: zone, now: now)
            return
        }
        summary.firstEpoch = stored.epoch
        summary.epoch = stored.epoch
        guard window != .all || stored.floor == nil else {
            floor = nil
            return
        }
        place = stored.cursor
        floor = stored.floor
        intake.memory.logTime = stored.logTime
    }

    /// The instants that records of a page may mean where the clocks were put back: what the journal has of them decides.
    /// One night a year, so that other polls ask nothing.
    package func doubt(_ page: PollPage) -> ClosedRange<Instant>? { Intake.doubt(page.records, zone: zone) }

    /// Takes a page and answers what is to be made durable for it.
    /// - Parameter known: the journal's punches in the span of ``doubt(_:)``.
    /// - Throws: ``DeviceFault/Code/malformed`` for a driver that promises more and brings nothing: it would keep the host
    ///   busy for ever.
    package mutating func take(
        _ page: PollPage, known: Set<Intake.Moment> = [], now: Instant
    ) throws(DeviceFault) -> JournalEntry {
        idlePages = page.records.isEmpty && page.rejected.isEmpty ? idlePages + 1 : 0
        guard idlePages < Self.maximumIdlePages else {
            throw DeviceFault(.malformed, "the device promises more of its log and sends nothing")
        }
        if page.reset != nil { intake.memory.logTime = nil }
        intake.memory.known = known
        var punches: [Punch] = []
        punches.reserveCapacity(page.records.count)
        for record in page.records {
            let punch = intake.punch(record, receivedAt: now)
            if let floor, record.localTime < floor { summary.skipped += 1 } else { punches.append(punch) }
        }
        summary.read += page.records.count + page.rejected.count
        if let reset = page.reset {
            summary.reset = reset.message
            summary.epoch += 1
            if reset.reason != .logCleared { summary.isLogAnew = true }
        }
        place = page.cursor
        isAtEnd = !page.hasMore
        return JournalEntry(
            device: device, punches: punches, rejected: page.rejected,
            cursor: page.cursor.map { .set($0, floor: floor, logTime: intake.last?.instant) } ?? .keep,
            beginsEpoch: page.reset != nil, receivedAt: now)
    }

    /// The entry of a page is durable.
    package mutating func committed(_ receipt: CommitReceipt) {
        summary.journaled += receipt.journaled
        summary.duplicates += receipt.duplicates
        summary.rejected += receipt.rejected
    }
}
