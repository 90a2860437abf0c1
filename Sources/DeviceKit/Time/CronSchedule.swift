/// When something is due: five fields of minute, hour, day of month, month and day of week, read in a time zone.
///
/// Fields take `*`, numbers, ranges `1-5`, steps `*/5` and `1-30/10`, lists `1,15,30`; months and weekdays also their
/// English names (`jan`, `mon`); Sunday is 0 and 7. When both days are restricted, either one suffices; a field that
/// begins with `*`, such as `*/2`, does not count as a restriction there, as in Vixie's cron. `@hourly`, `@daily`,
/// `@weekly`, `@monthly` and `@yearly` are known.
///
/// When the clocks change: with `*` for the hour, real time decides, so that `*/5 * * * *` goes on every five minutes
/// through a repeated hour and over a gap. With hours named, a time in a gap is due at the first minute after the gap,
/// and a time that comes twice is due the first time only: a job at 02:30 runs once each day.
public struct CronSchedule: Sendable, Hashable, CustomStringConvertible {
    /// The text that the schedule was read from.
    public let text: String
    private let minutes: FieldSet
    private let hours: FieldSet
    private let daysOfMonth: FieldSet
    private let months: FieldSet
    private let daysOfWeek: FieldSet

    /// Why a text is no schedule.
    public struct ParseError: Error, Sendable, Hashable {
        /// One sentence that names the field.
        public let message: String
    }

    public init(_ text: String) throws(ParseError) {
        let expanded = Self.macros[text.lowercased()] ?? text
        let fields = expanded.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard fields.count == 5 else {
            throw ParseError(
                message: "a schedule has 5 fields (minute hour day month weekday), this one has \(fields.count)")
        }
        self.text = text
        minutes = try FieldSet(fields[0], .minute)
        hours = try FieldSet(fields[1], .hour)
        daysOfMonth = try FieldSet(fields[2], .dayOfMonth)
        months = try FieldSet(fields[3], .month)
        daysOfWeek = try FieldSet(fields[4], .dayOfWeek)
        guard canEverBeDue else {
            throw ParseError(message: "the days do not exist in the months: it would never be due")
        }
    }

    public var description: String { text }

    /// The first due instant after `instant`; `nil` when there is none within eight years (30 February).
    public func next(after instant: Instant, in zone: DeviceTimeZone) -> Instant? {
        guard hours.isUnrestricted else { return nextByWallClock(after: instant, in: zone) }
        return nextByElapsedMinutes(after: instant, in: zone)
    }

    /// With any hour allowed, real minutes are walked: a repeated hour is due twice, as an interval would be.
    private func nextByElapsedMinutes(after instant: Instant, in zone: DeviceTimeZone) -> Instant? {
        var seconds = (instant.secondsSince1970.flooredQuotient(dividingBy: 60) + 1) * 60
        let end = seconds + Self.horizonSeconds
        while seconds < end {
            let local = zone.localTime(at: Instant(secondsSince1970: seconds))
            if !matchesDay(local.date) {
                // Noon-safe: at least this many seconds remain before the day can change, transitions included.
                seconds += max(60, Int64(86_400 - local.secondOfDay) - 7_200).roundedDown(toMultipleOf: 60)
            } else if minutes.contains(local.minute) && local.second == 0 {
                return Instant(secondsSince1970: seconds)
            } else {
                seconds += step(from: local, at: seconds, in: zone)
            }
        }
        return nil
    }

    /// To the next allowed minute; by a minute where the clocks change before it.
    private func step(from local: LocalDateTime, at seconds: Int64, in zone: DeviceTimeZone) -> Int64 {
        if local.second != 0 { return 60 - Int64(local.second) }
        let step = Int64(minutes.distance(from: local.minute, of: 60)) * 60
        let isEven =
            zone.offsetSeconds(at: Instant(secondsSince1970: seconds))
            == zone.offsetSeconds(at: Instant(secondsSince1970: seconds + step))
        return isEven ? step : 60
    }

    /// Whether some month has one of the days.
    private var canEverBeDue: Bool {
        if !daysOfWeek.isUnrestricted { return true }
        return months.values.contains { month in
            daysOfMonth.values.contains { $0 <= CivilDate.dayCount(year: 2_000, month: month) }
        }
    }

    /// With hours named, days of the wall clock are walked, so that a gap or a repeated hour runs once.
    private func nextByWallClock(after instant: Instant, in zone: DeviceTimeZone) -> Instant? {
        var day = zone.localTime(at: instant).startOfDay
        for _ in 0..<(Self.horizonSeconds / 86_400) {
            if matchesDay(day.date), let due = firstDue(on: day, after: instant, in: zone) { return due }
            day = day.advanced(bySeconds: 86_400)
        }
        return nil
    }

    private func firstDue(on day: LocalDateTime, after instant: Instant, in zone: DeviceTimeZone) -> Instant? {
        for hour in hours.values {
            for minute in minutes.values {
                let due = Self.firstInstant(of: day.advanced(bySeconds: Int64(hour * 3_600 + minute * 60)), in: zone)
                if due > instant { return due }
            }
        }
        return nil
    }

    private static func firstInstant(of local: LocalDateTime, in zone: DeviceTimeZone) -> Instant {
        switch zone.resolve(local) {
        case .unique(let instant): return instant
        case .overlap(let earlier, _): return earlier
        case .gap(let moved):
            // The first minute after the gap: step back to where the wall clock jumps.
            var seconds = moved.secondsSince1970
            while zone.localTime(at: Instant(secondsSince1970: seconds - 60)) > local { seconds -= 60 }
            return Instant(secondsSince1970: seconds)
        }
    }

    private func matchesDay(_ date: CivilDate) -> Bool {
        guard months.contains(date.month) else { return false }
        let onDate = daysOfMonth.contains(date.day)
        let onWeekday = daysOfWeek.contains(date.weekday)
        if daysOfMonth.beginsWithStar || daysOfWeek.beginsWithStar { return onDate && onWeekday }
        return onDate || onWeekday
    }

    private static let horizonSeconds: Int64 = 8 * 366 * 86_400

    private static let macros = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]
}

extension Int64 {
    fileprivate func roundedDown(toMultipleOf step: Int64) -> Int64 { self - flooredRemainder(dividingBy: step) }
}
