internal import Synchronization

/// A state behind a lock, and the tasks that wait for something in it: one at each place.
final class WaitingState<Value: Sendable, Place: Hashable & Sendable>: Sendable {
    private struct Guarded {
        var value: Value
        /// Counts everything that a waiting task may wait for.
        var changes: UInt64 = 0
        /// Resumed with `false` when its task was cancelled.
        var waiters: [Place: CheckedContinuation<Bool, Never>] = [:]
    }

    private let guarded: Mutex<Guarded>

    init(_ value: Value) { guarded = Mutex(Guarded(value: value)) }

    /// Reads, or changes what nobody waits for.
    func withLock<Answer: Sendable>(_ body: (inout Value) -> Answer) -> Answer {
        guarded.withLock { body(&$0.value) }
    }

    /// Changes something, and lets the task at `place` look again.
    func change<Answer: Sendable>(waking place: Place, _ body: (inout Value) -> Answer) -> Answer {
        let (answer, waiter) = guarded.withLock { guarded in
            let answer = body(&guarded.value)
            guarded.changes &+= 1
            return (answer, guarded.waiters.removeValue(forKey: place))
        }
        waiter?.resume(returning: true)
        return answer
    }

    /// Changes something that concerns everybody.
    func changeForAll(_ body: (inout Value) -> Void) {
        let waiters = guarded.withLock { guarded in
            body(&guarded.value)
            guarded.changes &+= 1
            defer { guarded.waiters.removeAll() }
            return Array(guarded.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    /// Returns what `look` finds, waiting until it finds something; `nil` when the task is cancelled before.
    func wait<Answer: Sendable>(at place: Place, _ look: @Sendable (inout Value) -> Answer?) async -> Answer? {
        while true {
            let (found, seen) = guarded.withLock { (look(&$0.value), $0.changes) }
            if let found { return found }
            let woken = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let answer: Bool? = guarded.withLock { guarded in
                        if Task.isCancelled { return false }
                        if guarded.changes != seen { return true }
                        guarded.waiters[place] = continuation
                        return nil
                    }
                    if let answer { continuation.resume(returning: answer) }
                }
            } onCancel: {
                guarded.withLock { $0.waiters.removeValue(forKey: place) }?.resume(returning: false)
            }
            if !woken { return nil }
        }
    }
}
