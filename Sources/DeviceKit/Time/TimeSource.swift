/// The only clock that a driver, a machine or a sink sees. Tests hand in a manual one.
public protocol TimeSource: Sendable {
    /// Wall time: data, never used to measure how long something took. It can jump.
    func now() -> Instant
    /// Time since an arbitrary start. Never goes back.
    func uptime() -> Duration
    /// Returns after `duration` of uptime, at once when it is not positive.
    /// - Throws: `CancellationError` when the task is cancelled, at once.
    func sleep(for duration: Duration) async throws(CancellationError)
}

/// Wall clock and monotonic clock of this machine.
public struct SystemTime: TimeSource {
    private let start = ContinuousClock.now

    public init() {}

    public func now() -> Instant {
        let parts = Duration.sinceEpoch()
        return Instant(millisecondsSince1970: parts.wholeMilliseconds)
    }

    public func uptime() -> Duration { start.duration(to: .now) }

    public func sleep(for duration: Duration) async throws(CancellationError) {
        do {
            try await Task.sleep(for: max(duration, Duration.zero), clock: .continuous)
        } catch {
            throw CancellationError()
        }
    }
}

/// The outcome of work that was given a time limit.
public enum Deadlined<Value: Sendable>: Sendable {
    case finished(Value)
    /// The limit passed and the work was cancelled; this is what it returned then. Release what it may have opened.
    case expired(Value)
}

extension TimeSource {
    /// Runs `work` and cancels it when `limit` has passed. Returns only when `work` has ended, so `work` must honour
    /// cancellation.
    public func withDeadline<Value: Sendable>(
        _ limit: Duration, _ work: @escaping @Sendable () async -> Value
    ) async -> Deadlined<Value> {
        let (value, isExpired) = await withInterruption(by: { try? await self.sleep(for: limit) }, work)
        return isExpired && !Task.isCancelled ? .expired(value) : .finished(value)
    }
}
