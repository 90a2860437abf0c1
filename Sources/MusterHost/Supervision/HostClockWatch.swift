package import DeviceKit
internal import Synchronization

/// Notices when somebody sets the host's own clock, and doubts it for a day after that.
///
/// Which of the two times was the right one nobody tells; so what depends on it takes the earlier one, and nothing is
/// set by it. Slow corrections, as a time service makes them, are no steps.
package struct HostClockWatch: Sendable, Hashable {
    /// Wall time minus uptime at the last look.
    private var offset: Duration?
    private var lookedAt: Duration = .zero
    private var doubt: Doubt?

    private struct Doubt: Sendable, Hashable {
        /// The ends of the offsets that may be right.
        var lowest: Duration
        var highest: Duration
        /// The uptime at which the clock is believed again.
        var until: Duration
    }

    /// Steps of less are corrections that matter to nobody.
    static let tolerance = Duration.seconds(5)
    /// How long a clock that was set has to go on before it is believed.
    package static let doubtLength = Duration.seconds(86_400)

    package init() {}

    /// Looks at the clock; the more often, the better.
    package mutating func look(now: Instant, uptime: Duration) {
        let current = (now - Instant(secondsSince1970: 0)) - uptime
        defer {
            offset = current
            lookedAt = uptime
        }
        if let doubt, uptime >= doubt.until { self.doubt = nil }
        guard let offset else { return }
        // A time service moves a clock by at most 500 millionths; twice that is allowed.
        let allowance = Self.tolerance + max(uptime - lookedAt, .zero) / 1_000
        guard (current - offset).magnitude > allowance else { return }
        doubt = Doubt(
            lowest: min(doubt?.lowest ?? offset, offset), highest: max(doubt?.highest ?? offset, offset),
            until: uptime + Self.doubtLength)
    }

    /// The clock was set not long ago.
    package var isDoubtful: Bool { doubt != nil }

    /// The time at an uptime, the earlier of those that may be right.
    package func earliest(now: Instant, uptime: Duration) -> Instant {
        guard let doubt else { return now }
        return min(now, Instant(secondsSince1970: 0) + (doubt.lowest + uptime))
    }

    /// The later of those that may be right.
    package func latest(now: Instant, uptime: Duration) -> Instant {
        guard let doubt else { return now }
        return max(now, Instant(secondsSince1970: 0) + (doubt.highest + uptime))
    }
}

/// The watch that all devices of a host share: each looks at the clock, so one at least does often.
final class SharedClockWatch: Sendable {
    private let state = Mutex(HostClockWatch())

    var current: HostClockWatch { state.withLock { $0 } }

    func look(now: Instant, uptime: Duration) { state.withLock { $0.look(now: now, uptime: uptime) } }
}

extension Duration {
    var magnitude: Duration { self < .zero ? .zero - self : self }
}
