internal import DeviceKit
internal import Journal

/// What a poll brought.
public struct PollSummary: Sendable, Hashable {
    /// Records that the device sent in this poll.
    public var read = 0
    /// Punches that the journal did not have.
    public var journaled = 0
    public var duplicates = 0
    public var rejected = 0
    /// Records from before the window of the schedule.
    public var skipped = 0
    /// The log was not the one that was read before.
    public var reset: String?
}

/// How far a poll has come.
public struct PollProgress: Sendable, Hashable {
    public var read: Int
    /// How many records the device says it holds.
    public var total: Int?

    public init(read: Int, total: Int? = nil) {
        self.read = read
        self.total = total
    }
}

/// Reads a device's log from the cursor to its end into the journal.
struct LogPoll: Sendable {
    let device: DeviceID
    let zone: DeviceTimeZone
    let window: PollWindow
    let time: any TimeSource
    let writer: JournalWriter
    var progress: (@Sendable (PollProgress) -> Void)?
    /// Hears of the counts that the device names on the way, and of a log that begins anew.
    var found: (@Sendable (LogInventory?, SourceReset?) -> Void)?

    static let pageLimit = 2_000
    /// So many pages in a row without a record end a poll.
    static let maximumIdlePages = 100
    /// What a driver may take for a page: whole logs are verified within one.
    static let pageTimeout = Duration.seconds(900)

    /// While a page is being made durable the device is asked for the next one.
    func run(_ session: any PollingSession) async throws(DeviceFault) -> PollSummary {
        let start = try await place()
        var intake = Intake(device: device, zone: zone, source: .poll)
        intake.memory.logTime = start.logTime
        var summary = PollSummary()
        var page = try await fetch(session, after: start.cursor).get()
        var idlePages = 0
        while true {
            // A driver that promises more and brings nothing would keep the host busy for ever.
            idlePages = page.records.isEmpty && page.rejected.isEmpty ? idlePages + 1 : 0
            guard idlePages < Self.maximumIdlePages else {
                throw DeviceFault(.malformed, "the device promises more of its log and sends nothing")
            }
            if page.reset != nil { intake.memory.logTime = nil }
            try await recall(page.records, &intake)
            let entry = entry(page, floor: start.floor, &intake, &summary)
            async let committed = writer.commit(entry)
            guard page.hasMore else {
                add(try await committed.get(), to: &summary)
                return summary
            }
            let place = page.cursor
            let total = page.inventory?.recordCount
            async let next = fetch(session, after: place)
            add(try await committed.get(), to: &summary)
            progress?(PollProgress(read: summary.read, total: total))
            await writer.throttle()
            page = try await next.get()
            if Task.isCancelled { throw .cancelled }
        }
    }

    /// Where to begin. The floor is fixed at the first contact, so that nothing made since is ever skipped; a window
    /// that was widened to everything reads from the oldest record again.
    private func place() async throws(DeviceFault) -> (cursor: Cursor?, floor: LocalDateTime?, logTime: Instant?) {
        let stored = try await writer.cursor(for: device)
        guard let stored else {
            return (nil, HistoryFloor.start(of: window, zone: zone, now: time.now()), nil)
        }
        if window == .all, stored.floor != nil { return (nil, nil, nil) }
        return (stored.cursor, stored.floor, stored.logTime)
    }

    /// Looks up what the journal has of a repeated hour: one night a year, so that other polls ask nothing.
    private func recall(_ records: [PunchRecord], _ intake: inout Intake) async throws(DeviceFault) {
        guard let span = Intake.doubt(records, zone: zone) else { return }
        intake.memory.known = try await writer.moments(of: device, in: span)
    }

    private func fetch(
        _ session: any PollingSession, after cursor: Cursor?
    ) async -> Result<PollPage, DeviceFault> {
        let request = PollRequest(cursor: cursor, limit: Self.pageLimit)
        let outcome = await time.withDeadline(Self.pageTimeout) { () async -> Result<PollPage, DeviceFault> in
            do throws(DeviceFault) {
                return .success(try await session.poll(request))
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .finished(let result): return result
        case .expired(.success(let page)): return .success(page)
        case .expired(.failure):
            return .failure(DeviceFault(.timedOut, "the device sent no page of its log within \(Self.pageTimeout)"))
        }
    }

    private func entry(
        _ page: PollPage, floor: LocalDateTime?, _ intake: inout Intake, _ summary: inout PollSummary
    ) -> JournalEntry {
        let now = time.now()
        var punches: [Punch] = []
        punches.reserveCapacity(page.records.count)
        for record in page.records {
            let punch = intake.punch(record, receivedAt: now)
            if let floor, record.localTime < floor { summary.skipped += 1 } else { punches.append(punch) }
        }
        summary.read += page.records.count + page.rejected.count
        if let reset = page.reset { summary.reset = reset.message }
        found?(page.inventory, page.reset)
        return JournalEntry(
            device: device, punches: punches, rejected: page.rejected,
            cursor: page.cursor.map { .set($0, floor: floor, logTime: intake.last?.instant) } ?? .keep,
            beginsEpoch: page.reset != nil,
            receivedAt: now)
    }

    private func add(_ receipt: CommitReceipt, to summary: inout PollSummary) {
        summary.journaled += receipt.journaled
        summary.duplicates += receipt.duplicates
        summary.rejected += receipt.rejected
    }
}
