/// Delays between attempts: doubling from `base` to `ceiling`, each drawn between half of the delay and all of it.
public struct Backoff: Sendable, Equatable {
    public let base: Duration
    public let ceiling: Duration
    /// Failures in a row since the last ``reset()``.
    public private(set) var failures = 0

    public init(base: Duration, ceiling: Duration) {
        self.base = base
        self.ceiling = ceiling
    }

    /// Counts a failure and returns how long to wait before the next attempt.
    public mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(failures, 30)
        failures = min(failures + 1, Int.max - 1)
        let delay = min(ceiling, base * (1 << doublings))
        return delay * Double.random(in: 0.5...1, using: &random)
    }

    /// The next delay is of ``base`` again.
    public mutating func reset() { failures = 0 }
}
