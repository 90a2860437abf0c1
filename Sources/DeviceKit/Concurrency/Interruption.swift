/// Runs `work`, and cancels it when `signal` returns first. Returns only when `work` has ended, so `work` must honour
/// cancellation.
/// - Parameter signal: cancelled when it is no longer needed. One that is cancelled with the calling task counts as
///   given: look at `Task.isCancelled` where that matters.
/// - Returns: what `work` returned, and whether the signal came before it.
public func withInterruption<Value: Sendable>(
    by signal: @escaping @Sendable () async -> Void, _ work: @escaping @Sendable () async -> Value
) async -> (value: Value, wasInterrupted: Bool) {
    await withTaskGroup(of: Value?.self) { group in
        group.addTask { await work() }
        group.addTask {
            await signal()
            return nil
        }
        var wasInterrupted = false
        while let next = await group.next() {
            group.cancelAll()
            if let value = next { return (value, wasInterrupted) }
            wasInterrupted = true
        }
        // A group hands out the result of each of its children, and the loop ends only without one: nothing from outside leads
        // here.
        preconditionFailure("a task group ended without the result of its own child")
    }
}
