/// When the log of a device is read: a rhythm, perhaps only in a part of the day, and a shift that keeps a fleet from
/// reading in one second.
///
/// Runs are instants of the wall clock, so that two hosts agree on them and a restart changes none. What a run that was
/// missed means is the caller's business.
public struct PollSchedule: Sendable, Hashable, CustomStringConvertible {
    public enum Rhythm: Sendable, Hashable {
        case cron(CronSchedule)
        /// Every so often. Counted from the opening of ``PollSchedule/between``; without one, from the start of 1970 in
        /// UTC, so that it is the same after a restart. One second or more.
        case every(Duration)
    }

    public var rhythm: Rhythm
    /// Runs outside of this part of the day are left out.
    public var between: DayWindow?
    /// Every run comes later by so much. The part of the day is judged before.
    public var shift: Duration

    public init(_ rhythm: Rhythm, between: DayWindow? = nil, shift: Duration = .zero) {
        self.rhythm = rhythm
        self.between = between
        self.shift = max(shift, .zero)
    }

    public init(_ cron: CronSchedule) { self.init(.cron(cron)) }

    /// The rhythm as it is written in a configuration: `*/5 * * * *`, `every 5m`.
    public var text: String {
        switch rhythm {
        case .cron(let cron): cron.text
        case .every(let interval): "every \(DurationText.format(interval))"
        }
    }

    public var description: String {
        [
            text, between.map { "between \($0)" }, shift > .zero ? "shifted by \(DurationText.format(shift))" : nil,
        ].compactMap { $0 }.joined(separator: " ")
    }

    /// The first run after `instant`; `nil` when there is none within eight years.
    public func next(after instant: Instant, in zone: DeviceTimeZone) -> Instant? {
        let before = instant - shift
        guard let between else { return nextNominal(after: before, in: zone).map { $0 + shift } }
        switch rhythm {
        case .every(let interval): return nextWithin(between, every: interval, after: before, in: zone) + shift
        case .cron(let cron): return nextWithin(between, cron, after: before, in: zone).map { $0 + shift }
        }
    }

    private func nextNominal(after instant: Instant, in zone: DeviceTimeZone) -> Instant? {
        switch rhythm {
        case .cron(let cron): return cron.next(after: instant, in: zone)
        case .every(let interval):
            return Self.nextMultiple(of: interval, after: instant, from: Instant(secondsSince1970: 0))
        }
    }

    private static func nextMultiple(of interval: Duration, after instant: Instant, from start: Instant) -> Instant {
        let step = max(interval.wholeMilliseconds, 1_000)
        let elapsed = (instant - start).wholeMilliseconds
        return start + .milliseconds((elapsed.flooredQuotient(dividingBy: step) + 1) * step)
    }

    /// Cron walks from opening to opening: a run outside is followed by the first one inside.
    private func nextWithin(
        _ window: DayWindow, _ cron: CronSchedule, after instant: Instant, in zone: DeviceTimeZone
    ) -> Instant? {
        var after = instant
        // A run a day at the most is passed over, for as long as cron itself looks ahead.
        for _ in 0..<3_000 {
            guard let run = cron.next(after: after, in: zone) else { return nil }
            if window.contains(zone.localTime(at: run)) { return run }
            after = max(run, window.nextOpening(after: run, in: zone) - .milliseconds(1))
        }
        return nil
    }

    private func nextWithin(
        _ window: DayWindow, every interval: Duration, after instant: Instant, in zone: DeviceTimeZone
    ) -> Instant {
        if window.contains(zone.localTime(at: instant)) {
            let opening = window.lastOpening(before: instant, in: zone)
            let run = Self.nextMultiple(of: interval, after: instant, from: opening)
            if window.contains(zone.localTime(at: run)), run < window.nextOpening(after: instant, in: zone) {
                return run
            }
        }
        return window.nextOpening(after: instant, in: zone)
    }

    /// A shift for one device of a fleet: the same at every start, spread evenly over `span`.
    public static func spread(_ device: DeviceID, over span: Duration) -> Duration {
        let milliseconds = span.wholeMilliseconds
        guard milliseconds > 0 else { return .zero }
        // FNV-1a, mixed: Swift's own hash differs at each start.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in device.name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        var mixed = SplitMix64(seed: hash)
        return .milliseconds(Int64(mixed.next() % UInt64(milliseconds)))
    }
}

/// A part of each day by a wall clock: `06:00-20:00`, from the first minute up to the last, exclusive. `22:00-06:00`
/// goes past midnight.
public struct DayWindow: Sendable, Hashable, CustomStringConvertible {
    /// Minutes after midnight, 0...1439.
    public let from: Int
    /// Minutes after midnight, 1...1440.
    public let until: Int

    /// `nil` for anything that is not `HH:MM-HH:MM`, and for a part without length.
    public init?(_ text: String) {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let from = Self.minutes(ends[0]), let until = Self.minutes(ends[1]), from < 1_440,
            from != until
        else { return nil }
        self.from = from
        self.until = until == 0 ? 1_440 : until
        guard self.from != self.until else { return nil }
    }

    private static func minutes(_ text: Substring) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == 0x3A, let hour = DecimalDigits.value(bytes, 0, 2),
            let minute = DecimalDigits.value(bytes, 3, 2), minute < 60, hour * 60 + minute <= 1_440
        else { return nil }
        return hour * 60 + minute
    }

    public var description: String { "\(Self.text(from))-\(Self.text(until))" }

    private static func text(_ minutes: Int) -> String {
        let (hour, minute) = (minutes / 60, minutes % 60)
        return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
    }

    public func contains(_ local: LocalDateTime) -> Bool {
        let minute = local.secondOfDay / 60
        return from < until ? (from..<until).contains(minute) : minute >= from || minute < until
    }

    /// The first opening after `instant`. One that falls into a gap of the zone comes at the gap's end.
    func nextOpening(after instant: Instant, in zone: DeviceTimeZone) -> Instant {
        var day = zone.localTime(at: instant).startOfDay.advanced(bySeconds: -86_400)
        while true {
            let opening = Self.instant(of: day.advanced(bySeconds: Int64(from * 60)), in: zone)
            // The end of the calendar is held, so that this ends there as well.
            if opening > instant || day.date.year >= 9_999 { return max(opening, instant + .milliseconds(1)) }
            day = day.advanced(bySeconds: 86_400)
        }
    }

    /// The last opening that was not after `instant`.
    func lastOpening(before instant: Instant, in zone: DeviceTimeZone) -> Instant {
        var day = zone.localTime(at: instant).startOfDay.advanced(bySeconds: 86_400)
        for _ in 0..<4 {
            let opening = Self.instant(of: day.advanced(bySeconds: Int64(from * 60)), in: zone)
            if opening <= instant { return opening }
            day = day.advanced(bySeconds: -86_400)
        }
        return instant
    }

    private static func instant(of local: LocalDateTime, in zone: DeviceTimeZone) -> Instant {
        switch zone.resolve(local) {
        case .unique(let instant), .gap(let instant): instant
        case .overlap(let earlier, _): earlier
        }
    }
}
