internal import DeviceKit
internal import Logging

/// The place of a device's one session: a new one begins only after the last has been closed, or given up because its
/// driver does not return.
struct SessionSlot {
    /// Of the session that counts; what an earlier one still has to say no longer matters.
    private(set) var number = 0
    private var task: Task<Void, Never>?
    private var commands: AsyncStream<SessionRunner.Command>.Continuation?

    /// What closing a session may take before its driver is given up.
    static let closeTimeout = Duration.seconds(5)

    var isOpen: Bool { commands != nil }

    /// Begins a session as soon as the last one has ended.
    /// - Parameter makeRunner: with the number of the session and what it is to do.
    mutating func open(
        _ time: any TimeSource, _ log: Logger,
        _ makeRunner: (Int, AsyncStream<SessionRunner.Command>) -> SessionRunner
    ) {
        let previous = task
        let (stream, continuation) = AsyncStream.makeStream(of: SessionRunner.Command.self)
        commands = continuation
        number += 1
        let runner = makeRunner(number, stream)
        // Owned by the slot: cancelled by `abandon`, awaited by the next session and by `end`.
        task = Task {
            if let previous, !(await previous.ended(within: Self.closeTimeout, time: time)) {
                log.error("the driver does not return from its last session: it is given up")
            }
            await runner.run()
        }
    }

    /// Without a session nobody hears it.
    func order(_ command: SessionRunner.Command) { commands?.yield(command) }

    /// Lets the session end, and listens to it no longer.
    mutating func abandon() {
        commands?.finish()
        commands = nil
        task?.cancel()
        number += 1
    }

    /// Returns once the abandoned session is closed, or its driver given up.
    func end(_ time: any TimeSource, _ log: Logger) async {
        guard let task, !(await task.ended(within: Self.closeTimeout, time: time)) else { return }
        log.error("the driver does not return from its session: it is given up")
    }
}

extension Task where Success == Void, Failure == Never {
    /// Whether the task ends within `limit`. The task itself is not touched.
    func ended(within limit: Duration, time: any TimeSource) async -> Bool {
        let (stream, answer) = AsyncStream.makeStream(of: Bool.self)
        // Ends with the task that it watches.
        Task<Void, Never> {
            await value
            answer.yield(true)
        }
        let timer = Task<Void, Never> {
            if (try? await time.sleep(for: limit)) != nil { answer.yield(false) }
        }
        defer { timer.cancel() }
        var answers = stream.makeAsyncIterator()
        return await answers.next() ?? false
    }
}
