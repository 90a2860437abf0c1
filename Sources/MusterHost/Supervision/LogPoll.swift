internal import DeviceKit
internal import Journal

/// What a poll brought.
public struct PollSummary: Sendable, Hashable {
    public init() {}

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
    /// The log was not the one that was read before, and the host did not have it cleared: what stood in it may be lost.
    public var isLogAnew = false
    /// The epoch of the log at the beginning and at the end of the poll: one more for each time that it began anew.
    public var firstEpoch = 1
    public var epoch = 1
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
    /// What a driver may take for a page: whole logs are verified within one.
    static let pageTimeout = Duration.seconds(900)

    /// While a page is being made durable the device is asked for the next one.
    func run(_ session: any PollingSession) async throws(DeviceFault) -> PollSummary {
        let stored = try await writer.cursor(for: device)
        var work = PollWork(device: device, zone: zone, window: window, stored: stored, now: time.now())
        var page = try await fetch(session, after: work.place).get()
        while true {
            let known = try await recall(work.doubt(page))
            let entry = try work.take(page, known: known, now: time.now())
            found?(page.inventory, page.reset)
            async let committed = writer.commit(entry)
            guard !work.isAtEnd else {
                work.committed(try await committed.get())
                return work.summary
            }
            let place = work.place
            async let next = fetch(session, after: place)
            work.committed(try await committed.get())
            progress?(PollProgress(read: work.summary.read, total: page.inventory?.recordCount))
            await writer.throttle()
            page = try await next.get()
            if Task.isCancelled { throw .cancelled }
        }
    }

    private func recall(_ span: ClosedRange<Instant>?) async throws(DeviceFault) -> Set<Intake.Moment> {
        guard let span else { return [] }
        return try await writer.moments(of: device, in: span)
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
}
