import DeviceKit
import Testing

/// Wall times of one zone, for the tests of schedules.
struct Wall {
    let zone: DeviceTimeZone

    init(_ name: String) throws { zone = try #require(DeviceTimeZone(identifier: name)) }

    /// The first of its two readings in a repeated hour.
    func instant(_ text: String) throws -> Instant {
        switch zone.resolve(try #require(LocalDateTime(text))) {
        case .unique(let instant), .gap(let instant), .overlap(let instant, _): return instant
        }
    }

    /// `2026-03-29 03:00:00 +2:00`: with the offset, so that a repeated hour shows which one it is.
    func text(_ instant: Instant) -> String {
        let offset = zone.offsetSeconds(at: instant)
        let minutes = abs(offset) / 60
        let sign = offset < 0 ? "-" : "+"
        return "\(zone.localTime(at: instant)) \(sign)\(minutes / 60):\(minutes % 60 < 10 ? "0" : "")\(minutes % 60)"
    }

    /// The first runs after a wall time.
    func runs(_ schedule: PollSchedule, after start: String, count: Int) throws -> [String] {
        var texts: [String] = []
        var instant = try self.instant(start)
        for _ in 0..<count {
            guard let next = schedule.next(after: instant, in: zone) else { break }
            texts.append(text(next))
            instant = next
        }
        return texts
    }

    func runs(_ cron: String, after start: String, count: Int) throws -> [String] {
        try runs(PollSchedule(try CronSchedule(cron)), after: start, count: count)
    }
}

@Suite("Cron schedules")
struct CronScheduleTests {
    private func days(_ cron: String, after start: String, _ count: Int = 3) throws -> [String] {
        try Wall("UTC").runs(cron, after: start, count: count).map { String($0.prefix(16)) }
    }

    @Test(
        "reads what the standard and what people write",
        arguments: [
            ("* * * * *", ["2026-01-05 08:01", "2026-01-05 08:02"]),
            ("*/15 * * * *", ["2026-01-05 08:15", "2026-01-05 08:30"]),
            ("5/20 * * * *", ["2026-01-05 08:05", "2026-01-05 08:25"]),
            ("1-10/4 8 * * *", ["2026-01-05 08:01", "2026-01-05 08:05"]),
            ("0,30 9-17 * * mon-fri", ["2026-01-05 09:00", "2026-01-05 09:30"]),
            ("0 0 1 JAN *", ["2027-01-01 00:00", "2028-01-01 00:00"]),
            ("0 12 * feb,Apr *", ["2026-02-01 12:00", "2026-02-02 12:00"]),
            ("0 0 * * 7", ["2026-01-11 00:00", "2026-01-18 00:00"]),
            ("0 0 * * 0", ["2026-01-11 00:00", "2026-01-18 00:00"]),
            ("0 0 * * sun", ["2026-01-11 00:00", "2026-01-18 00:00"]),
            // Friday to Sunday, with 7 for its end.
            ("0 0 * * 5-7", ["2026-01-09 00:00", "2026-01-10 00:00"]),
            ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
            ("0 0 31 * *", ["2026-01-31 00:00", "2026-03-31 00:00"]),
            ("@hourly", ["2026-01-05 09:00", "2026-01-05 10:00"]),
            ("@weekly", ["2026-01-11 00:00", "2026-01-18 00:00"]),
            ("@Yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
            ("0\t6  *\t* *", ["2026-01-06 06:00", "2026-01-07 06:00"]),
        ])
    func forms(_ cron: String, _ expected: [String]) throws {
        // A Monday.
        #expect(try days(cron, after: "2026-01-05 08:00:00", 2) == expected)
    }

    @Test("either day suffices when both are restricted; a field that begins with * restricts nothing")
    func daysOfEitherKind() throws {
        // The 13th, and every Friday.
        #expect(
            try days("0 0 13 * 5", after: "2026-01-05 08:00:00", 4) == [
                "2026-01-09 00:00", "2026-01-13 00:00", "2026-01-16 00:00", "2026-01-23 00:00",
            ])
        // Every second day of the month, when it is a Monday: Vixie's rule.
        #expect(
            try days("0 0 */2 * 1", after: "2026-01-05 08:00:00", 2) == ["2026-01-19 00:00", "2026-02-09 00:00"])
    }

    @Test("29 February is found from any year, over the century that skips it", arguments: [2_026, 2_096, 2_097])
    func leapDays(_ year: Int) throws {
        let expected = year == 2_026 ? 2_028 : 2_104
        #expect(try days("0 0 29 2 *", after: "\(year)-03-01 00:00:00", 1) == ["\(expected)-02-29 00:00"])
    }

    @Test(
        "says which field is wrong",
        arguments: [
            ("* * * *", "4"), ("* * * * * *", "6"), ("60 * * * *", "minute: 60 is outside 0…59"),
            ("* 24 * * *", "hour: 24 is outside 0…23"), ("* * 0 * *", "day of month: 0 is outside 1…31"),
            ("* * * 13 *", "month: 13 is outside 1…12"), ("* * * * 8", "day of week: 8 is outside 0…7"),
            ("10-5 * * * *", "runs backwards"), ("*/0 * * * *", "step"), ("*/+5 * * * *", "step"),
            ("*/60 * * * *", "step"), ("1,,2 * * * *", "minute"), ("a * * * *", "'a' is not a number"),
            ("* * * * fri-mon", "runs backwards"), ("@often", "1"), ("", "0"),
            ("0 0 30 2 *", "never be due"), ("0 0 31 4,6,9,11 *", "never be due"),
        ])
    func mistakes(_ cron: String, _ words: String) {
        #expect {
            _ = try CronSchedule(cron)
        } throws: { ($0 as? CronSchedule.ParseError)?.message.contains(words) == true }
    }
}

/// What happens to schedules when the clocks change, zone by zone.
@Suite("Schedules when the clocks change")
struct ClockChangeTests {
    /// The day on which clocks go forward: a daily job inside the gap, and the wall time of its run.
    @Test(
        "a time that does not exist is due at the first minute after the gap, once",
        arguments: [
            (
                "Europe/London", "30 1 * * *", "2026-03-28 12:00:00",
                ["2026-03-29 02:00:00 +1:00", "2026-03-30 01:30:00 +1:00"]
            ),
            (
                "America/New_York", "30 2 * * *", "2026-03-07 12:00:00",
                ["2026-03-08 03:00:00 -4:00", "2026-03-09 02:30:00 -4:00"]
            ),
            (
                "America/St_Johns", "15 2 * * *", "2026-03-07 12:00:00",
                ["2026-03-08 03:00:00 -2:30", "2026-03-09 02:15:00 -2:30"]
            ),
            // Half an hour forward, at two.
            (
                "Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00:00",
                ["2026-10-04 02:30:00 +11:00", "2026-10-05 02:15:00 +11:00"]
            ),
            // After Ramadan the clocks go forward.
            (
                "Africa/Casablanca", "30 2 * * *", "2026-03-21 12:00:00",
                ["2026-03-22 03:00:00 +1:00", "2026-03-23 02:30:00 +1:00"]
            ),
            // No clock changes here.
            (
                "Asia/Kathmandu", "30 2 * * *", "2026-03-28 12:00:00",
                ["2026-03-29 02:30:00 +5:45", "2026-03-30 02:30:00 +5:45"]
            ),
        ])
    func gaps(_ zone: String, _ cron: String, _ start: String, _ expected: [String]) throws {
        #expect(try Wall(zone).runs(cron, after: start, count: 2) == expected)
    }

    @Test(
        "a time that comes twice is due the first time only",
        arguments: [
            (
                "Europe/London", "30 1 * * *", "2026-10-24 12:00:00",
                ["2026-10-25 01:30:00 +1:00", "2026-10-26 01:30:00 +0:00"]
            ),
            (
                "America/New_York", "30 1 * * *", "2026-10-31 12:00:00",
                ["2026-11-01 01:30:00 -4:00", "2026-11-02 01:30:00 -5:00"]
            ),
            (
                "America/St_Johns", "30 1 * * *", "2026-10-31 12:00:00",
                ["2026-11-01 01:30:00 -2:30", "2026-11-02 01:30:00 -3:30"]
            ),
            (
                "Australia/Lord_Howe", "45 1 * * *", "2026-04-04 12:00:00",
                ["2026-04-05 01:45:00 +11:00", "2026-04-06 01:45:00 +10:30"]
            ),
            (
                "Africa/Casablanca", "30 2 * * *", "2026-02-14 12:00:00",
                ["2026-02-15 02:30:00 +1:00", "2026-02-16 02:30:00 +0:00"]
            ),
            (
                "Asia/Kathmandu", "30 1 * * *", "2026-10-24 12:00:00",
                ["2026-10-25 01:30:00 +5:45", "2026-10-26 01:30:00 +5:45"]
            ),
        ])
    func overlaps(_ zone: String, _ cron: String, _ start: String, _ expected: [String]) throws {
        #expect(try Wall(zone).runs(cron, after: start, count: 2) == expected)
    }

    @Test(
        "with any hour allowed real time decides: every quarter of an hour through the change, none twice and none left out",
        arguments: [
            ("Europe/London", "2026-03-28 23:50:00"), ("Europe/London", "2026-10-24 23:50:00"),
            ("America/New_York", "2026-03-07 23:50:00"), ("America/New_York", "2026-10-31 23:50:00"),
            ("America/St_Johns", "2026-03-07 23:50:00"), ("America/St_Johns", "2026-10-31 23:50:00"),
            ("Australia/Lord_Howe", "2026-04-04 23:50:00"), ("Australia/Lord_Howe", "2026-10-03 23:50:00"),
            ("Africa/Casablanca", "2026-02-14 23:50:00"), ("Africa/Casablanca", "2026-03-21 23:50:00"),
            ("Asia/Kathmandu", "2026-03-28 23:50:00"),
        ])
    func intervals(_ zone: String, _ start: String) throws {
        let wall = try Wall(zone)
        let cron = try CronSchedule("*/15 * * * *")
        var instant = try #require(cron.next(after: try wall.instant(start), in: wall.zone))
        for _ in 0..<40 {
            let next = try #require(cron.next(after: instant, in: wall.zone))
            #expect(next - instant == .seconds(900), "\(wall.text(instant))")
            instant = next
        }
    }

    @Test("a minute that only the repeated half hour has again is not passed over")
    func halfHour() throws {
        // 01:50, then the clock goes from 02:00 back to 01:30: 01:40 comes again, 01:20 does not.
        #expect(
            try Wall("Australia/Lord_Howe").runs("20,40 * * * *", after: "2026-04-05 01:35:00", count: 3) == [
                "2026-04-05 01:40:00 +11:00", "2026-04-05 01:40:00 +10:30", "2026-04-05 02:20:00 +10:30",
            ])
    }
}
