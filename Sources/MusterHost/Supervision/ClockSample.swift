package import DeviceKit

/// What a device's clock showed, and when it was asked.
package struct ClockSample: Sendable, Hashable {
    package enum Shown: Sendable, Hashable {
        case time(LocalDateTime)
        /// No possible date; one sentence of the driver.
        case nothing(String)
    }

    package var shown: Shown
    /// The host's wall clock and uptime, in the middle between question and answer.
    package var now: Instant
    package var uptime: Duration

    package init(_ shown: Shown, now: Instant, uptime: Duration) {
        self.shown = shown
        self.now = now
        self.uptime = uptime
    }

    /// How far the device's clock is ahead of what a clock on the wall of its zone shows; `nil` when it shows nothing.
    ///
    /// Devices show whole seconds, so a clock that is right is between nothing and a second behind: less than a second
    /// is none.
    package func drift(in zone: DeviceTimeZone) -> Duration? {
        guard case .time(let local) = shown else { return nil }
        return .seconds(local.wallSeconds - zone.localTime(at: now).wallSeconds)
    }

    /// The instant that the device believes it to be. Of the two readings in a repeated hour, the one nearer to the host's
    /// clock.
    package func instant(in zone: DeviceTimeZone) -> Instant? {
        guard case .time(let local) = shown else { return nil }
        switch zone.resolve(local) {
        case .unique(let instant), .gap(let instant): return instant
        case .overlap(let earlier, let later):
            return (later - now).magnitude < (earlier - now).magnitude ? later : earlier
        }
    }
}
