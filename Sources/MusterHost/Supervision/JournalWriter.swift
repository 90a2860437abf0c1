internal import DeviceKit
internal import Journal
internal import Logging
internal import Synchronization

/// Takes entries to the journal, and decides what its troubles mean: a full disk is waited for, with nothing
/// acknowledged meanwhile; a failed write stops the host.
final class JournalWriter: Sendable {
    private let journal: PunchJournal
    private let time: any TimeSource
    private let gauge: QuotaGauge
    private let events: HostEvents
    private let commits: CommitMeter
    private let log: Logger
    private let onFatal: @Sendable (JournalError) -> Void
    private let isFull = Mutex(false)

    /// How long to wait for room before the next try.
    static let retryInterval = Duration.seconds(1)
    /// After each page of a poll while the journal is nearly full.
    static let throttleDelay = Duration.seconds(2)

    init(
        _ journal: PunchJournal, time: any TimeSource, gauge: QuotaGauge = QuotaGauge(), events: HostEvents? = nil,
        commits: CommitMeter = CommitMeter(), log: Logger,
        onFatal: @escaping @Sendable (JournalError) -> Void
    ) {
        self.journal = journal
        self.time = time
        self.gauge = gauge
        let events = events ?? HostEvents(time: time)
        self.events = events
        self.commits = commits
        self.log = log
        self.onFatal = { error in
            events.send(.journal(.failed(error.message)))
            onFatal(error)
        }
    }

    /// The journal found no room at the last attempt to write.
    var isDiskFull: Bool { isFull.withLock { $0 } }

    /// Returns once the entry is durable. Fails only when the host is stopping.
    func commit(_ entry: JournalEntry) async -> Result<CommitReceipt, DeviceFault> {
        while true {
            // Above the quota punches wait as on a full disk; what holds none, such as a cursor, is let through.
            if entry.punches.isEmpty || gauge.level != .full {
                do throws(JournalError) {
                    let receipt = try await commits.measure(time) { () async throws(JournalError) in
                        try await journal.commit(entry)
                    }
                    noteFull(false)
                    tell(entry, receipt)
                    return .success(receipt)
                } catch {
                    guard error.kind == .full else {
                        onFatal(error)
                        return .failure(.cancelled)
                    }
                    noteFull(true, error)
                }
            }
            do throws(CancellationError) {
                try await time.sleep(for: Self.retryInterval)
            } catch {
                return .failure(.cancelled)
            }
        }
    }

    private func tell(_ entry: JournalEntry, _ receipt: CommitReceipt) {
        guard let source = entry.punches.first?.source ?? (entry.rejected.isEmpty ? nil : .poll) else { return }
        events.send(.device(entry.device, .journaled(receipt, source: source)))
    }

    /// Between the pages of a poll: slows it down while the journal is nearly full.
    func throttle() async {
        if gauge.level == .high { try? await time.sleep(for: Self.throttleDelay) }
    }

    func cursor(for device: DeviceID) async throws(DeviceFault) -> StoredCursor? {
        do throws(JournalError) {
            return try await journal.cursor(for: device)
        } catch {
            onFatal(error)
            throw .cancelled
        }
    }

    /// The punches of a device in a span of time.
    func moments(of device: DeviceID, in span: ClosedRange<Instant>) async throws(DeviceFault) -> Set<Intake.Moment> {
        do throws(JournalError) {
            return try await journal.reader.moments(of: device, in: span)
        } catch {
            onFatal(error)
            throw .cancelled
        }
    }

    /// The time of a device's newest punch; `nil` when there is none, or when the journal does not say.
    func newestPunch(of device: DeviceID) async -> Instant? { try? await journal.reader.newestTime(of: device) }

    func saveStatus(_ status: DeviceStatus) async {
        do throws(JournalError) {
            try await journal.saveStatus(status)
        } catch {
            // A status is told again at the next change; a full disk must not stop the host.
            if error.kind != .full { onFatal(error) }
        }
    }

    /// Says once that the disk is full, and once that it no longer is.
    private func noteFull(_ now: Bool, _ error: JournalError? = nil) {
        let changed = isFull.withLock { full in
            defer { full = now }
            return full != now
        }
        guard changed else { return }
        events.send(.journal(now ? .diskFull(error?.message ?? "") : .hasRoom))
        if now {
            log.error(
                "ADMIN ALERT the disk is full: nothing is acknowledged until there is room",
                metadata: ["error": "\(error?.message ?? "")"])
        } else {
            log.notice("there is room for the journal again")
        }
    }
}

extension JournalReader {
    /// The punches of a device in a span of time, by person and instant.
    func moments(of device: DeviceID, in span: ClosedRange<Instant>) async throws(JournalError) -> Set<Intake.Moment> {
        var filter = Filter(device: device, since: span.lowerBound, until: span.upperBound + .milliseconds(1))
        var moments: Set<Intake.Moment> = []
        while true {
            let page = try await punches(filter, limit: 10_000)
            guard let last = page.last else { return moments }
            for known in page { moments.insert(Intake.Moment(code: known.punch.code, instant: known.punch.time)) }
            filter.afterPosition = last.position
        }
    }
}
