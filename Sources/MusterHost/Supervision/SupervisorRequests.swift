internal import DeviceKit

/// What people have asked of a device and wait for: polls, and commands. Each is answered once.
struct SupervisorRequests {
    typealias PollOutcome = Result<PollSummary, DeviceFault>

    /// Somebody waits for a poll that begins after they asked.
    private struct Sync {
        let pollNumber: Int
        let resume: CheckedContinuation<PollOutcome, Never>
    }

    private var syncs: [Sync] = []
    private var pollsBegun = 0
    /// Commands that wait for a session, and the one that is under way.
    private var waiting: [PendingCommand] = []
    private var running: PendingCommand?

    /// More commands at a time are refused.
    static let maximumCommandCount = 16

    // MARK: Polls

    /// In a session that is being opened the first poll is still to come; the one that runs began too early.
    mutating func add(_ sync: CheckedContinuation<PollOutcome, Never>) {
        syncs.append(Sync(pollNumber: pollsBegun + 1, resume: sync))
    }

    mutating func pollBegan() { pollsBegun += 1 }

    /// Answers those who asked before the poll began.
    mutating func polled(_ outcome: PollOutcome) {
        let number = pollsBegun
        let due = syncs.filter { $0.pollNumber <= number }
        syncs.removeAll { $0.pollNumber <= number }
        for sync in due { sync.resume.resume(returning: outcome) }
    }

    // MARK: Commands

    var hasCommands: Bool { !waiting.isEmpty }

    /// - Returns: whether there was room; without it the command is refused.
    mutating func add(_ pending: PendingCommand) -> Bool {
        waiting.removeAll { $0.isFinished }
        guard waiting.count < Self.maximumCommandCount else {
            pending.finish(.failure(DeviceFault(.busy, "\(waiting.count) commands wait for the device already")))
            return false
        }
        waiting.append(pending)
        return true
    }

    /// The first command that somebody still waits for; it runs from now on.
    mutating func nextCommand() -> PendingCommand? {
        waiting.removeAll { $0.isFinished }
        guard !waiting.isEmpty else { return nil }
        running = waiting.removeFirst()
        return running
    }

    /// The session is gone, and with it whatever was under way. A restart that the device has begun is one.
    mutating func endRunningCommand() {
        guard let pending = running else { return }
        running = nil
        let fault = DeviceFault(.connectionLost, "the session with the device ended before it answered")
        pending.finish(pending.command.endsSession ? .success(.done(nil)) : .failure(fault))
    }

    // MARK: All of them

    /// Nothing comes of what waits.
    mutating func fail(_ fault: DeviceFault) {
        let (syncs, waiting) = (syncs, waiting)
        self.syncs = []
        self.waiting = []
        for sync in syncs { sync.resume.resume(returning: .failure(fault)) }
        for pending in waiting { pending.finish(.failure(fault)) }
    }
}
