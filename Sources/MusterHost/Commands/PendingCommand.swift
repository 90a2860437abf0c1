internal import DeviceKit
internal import Synchronization

/// A command on its way to a session: somebody waits for it, and may give up.
final class PendingCommand: Sendable {
    let command: DeviceCommand
    let progress: @Sendable (EnrolmentEvent) async -> Void

    typealias Outcome = Result<DeviceAnswer, DeviceFault>

    private struct State {
        var outcome: Outcome?
        var work: Task<Outcome, Never>?
        var waiter: CheckedContinuation<Outcome, Never>?
    }

    private let state = Mutex(State())

    init(_ command: DeviceCommand, progress: @escaping @Sendable (EnrolmentEvent) async -> Void) {
        self.command = command
        self.progress = progress
    }

    /// Nobody waits for it any more, or it has been done.
    var isFinished: Bool { state.withLock { $0.outcome != nil } }

    /// What came of it. The work is cancelled when the waiting task is, or when `limit` has passed.
    func outcome(within limit: Duration, time: any TimeSource) async -> Outcome {
        let waited = await time.withDeadline(limit) { await self.outcome() }
        switch waited {
        case .finished(let outcome): return outcome
        case .expired(.success(let answer)): return .success(answer)
        case .expired(.failure):
            return .failure(DeviceFault(.timedOut, "the device was busy or silent: the command was given up"))
        }
    }

    private func outcome() async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state -> Outcome? in
                    if state.outcome == nil { state.waiter = continuation }
                    return state.outcome
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Work that is under way is cancelled and ends the command; without it the command ends at once.
    private func cancel() {
        let work = state.withLock { $0.work }
        if let work { work.cancel() } else { finish(.failure(.cancelled)) }
    }

    /// The first outcome counts.
    func finish(_ outcome: Outcome) {
        let waiter = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
            guard state.outcome == nil else { return nil }
            state.outcome = outcome
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: outcome)
    }

    /// Does the work, unless nobody waits for it any more, and ends the command with what came of it.
    func perform(
        time: any TimeSource, _ work: @escaping @Sendable () async throws(DeviceFault) -> DeviceAnswer
    ) async -> Outcome {
        let task = state.withLock { state -> Task<Outcome, Never>? in
            guard state.outcome == nil else { return nil }
            // Ends with this call, which waits for it.
            let task = Task { () -> Outcome in
                do throws(DeviceFault) { return .success(try await work()) } catch { return .failure(error) }
            }
            state.work = task
            return task
        }
        guard let task else { return .failure(.cancelled) }
        let ended = await time.withDeadline(command.limit) {
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
        }
        let outcome: Outcome =
            switch ended {
            case .finished(let outcome): outcome
            case .expired(.success(let answer)): .success(answer)
            case .expired(.failure):
                .failure(DeviceFault(.timedOut, "the device did not finish within \(command.limit)"))
            }
        finish(outcome)
        return outcome
    }
}

extension DeviceFault {
    /// Whether a link is no longer to be trusted after this fault of a command.
    var endsLink: Bool {
        switch code {
        case .unreachable, .refused, .connectionLost, .timedOut, .wrongChecksum: true
        default: false
        }
    }
}
