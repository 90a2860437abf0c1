internal import DeviceKit

/// Up to when a device's punches are known to be complete.
///
/// A poll that read a log to its end has everything that stood there when the reading began. What the device records
/// later gets a time that its clock shows later. So everything before the time that the clock showed at the beginning is
/// in the journal; and because a clock may be ahead, nothing after the host's own time is claimed. Where the host's clock
/// was set not long ago and the device does not agree with it, the earlier of the possible times holds.
enum Watermark {
    /// The instant before which everything is in the journal after a poll that began at `beginning`; `nil` when the poll
    /// says nothing, because the device's clock shows no date.
    /// - Parameters:
    ///   - reading: of the device's clock, from before the log was asked for; `nil` for a device that shows none.
    ///   - beginning: the host's time and uptime before the log was asked for.
    static func after(
        _ reading: ClockSample?, beginning: (now: Instant, uptime: Duration), zone: DeviceTimeZone, plan: ClockPlan,
        watch: HostClockWatch
    ) -> Instant? {
        let earliest = watch.earliest(now: beginning.now, uptime: beginning.uptime)
        // What a clock that cannot be seen may be wrong by is allowed for.
        guard let reading else { return (earliest - plan.maxDrift).wholeSecond }
        guard let device = reading.instant(in: zone), let drift = reading.drift(in: zone) else { return nil }
        // Two clocks that agree are right, also when one of them was set a moment ago.
        let host = drift.magnitude <= plan.maxDrift ? beginning.now : earliest
        return min(device, host).wholeSecond
    }
}

extension Instant {
    /// Without its fraction: devices record whole seconds.
    fileprivate var wholeSecond: Instant { Instant(secondsSince1970: secondsSince1970) }
}
