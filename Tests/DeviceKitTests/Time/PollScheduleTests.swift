import DeviceKit
import Testing

@Suite("When a log is read")
struct PollScheduleTests {
    private let interval = PollSchedule(.every(.seconds(900)))

    @Test("an interval is the same at every start")
    func every() throws {
        let wall = try Wall("UTC")
        #expect(
            try wall.runs(interval, after: "2026-01-05 08:00:00", count: 2) == [
                "2026-01-05 08:15:00 +0:00", "2026-01-05 08:30:00 +0:00",
            ])
        #expect(try wall.runs(interval, after: "2026-01-05 08:14:59", count: 1) == ["2026-01-05 08:15:00 +0:00"])
        #expect(interval.text == "every 15m")
    }

    @Test("a shift moves every run and leaves the rhythm")
    func shift() throws {
        let wall = try Wall("UTC")
        let shifted = PollSchedule(.cron(try CronSchedule("0 * * * *")), shift: .seconds(90))
        #expect(
            try wall.runs(shifted, after: "2026-01-05 08:00:00", count: 2) == [
                "2026-01-05 08:01:30 +0:00", "2026-01-05 09:01:30 +0:00",
            ])
        #expect(try wall.runs(shifted, after: "2026-01-05 08:01:30", count: 1) == ["2026-01-05 09:01:30 +0:00"])
    }

    @Test("runs outside of a part of the day are left out; an interval begins with it")
    func between() throws {
        let wall = try Wall("Asia/Kathmandu")
        var schedule = PollSchedule(.every(.seconds(3_000)), between: DayWindow("06:00-08:00"))
        #expect(
            try wall.runs(schedule, after: "2026-01-05 05:00:00", count: 5) == [
                "2026-01-05 06:00:00 +5:45", "2026-01-05 06:50:00 +5:45", "2026-01-05 07:40:00 +5:45",
                "2026-01-06 06:00:00 +5:45", "2026-01-06 06:50:00 +5:45",
            ])
        schedule = PollSchedule(.cron(try CronSchedule("30 * * * *")), between: DayWindow("22:00-01:00"))
        #expect(
            try wall.runs(schedule, after: "2026-01-05 20:00:00", count: 4) == [
                "2026-01-05 22:30:00 +5:45", "2026-01-05 23:30:00 +5:45", "2026-01-06 00:30:00 +5:45",
                "2026-01-06 22:30:00 +5:45",
            ])
        // Never in the window: none, and no endless search.
        schedule = PollSchedule(.cron(try CronSchedule("0 12 * * *")), between: DayWindow("06:00-08:00"))
        #expect(try wall.runs(schedule, after: "2026-01-05 20:00:00", count: 1).isEmpty)
    }

    @Test("a part of the day keeps to the wall clock when clocks change, and comes once")
    func betweenOverChanges() throws {
        let york = try Wall("America/New_York")
        let schedule = PollSchedule(.every(.seconds(3_600)), between: DayWindow("01:30-03:30"))
        // 02:30 does not exist: an hour after 01:30 it is 03:30, which is outside.
        #expect(
            try york.runs(schedule, after: "2026-03-08 00:00:00", count: 2) == [
                "2026-03-08 01:30:00 -5:00", "2026-03-09 01:30:00 -4:00",
            ])
        // 01:30 comes twice: the part begins with the first one.
        #expect(
            try york.runs(schedule, after: "2026-11-01 00:00:00", count: 4) == [
                "2026-11-01 01:30:00 -4:00", "2026-11-01 01:30:00 -5:00", "2026-11-01 02:30:00 -5:00",
                "2026-11-02 01:30:00 -5:00",
            ])
    }

    @Test(
        "reads parts of a day, and nothing else",
        arguments: ["06:00-20:00", "22:00-06:00", "00:00-24:00", "23:59-00:00"])
    func windows(_ text: String) throws {
        let window = try #require(DayWindow(text))
        #expect(window.description == text.replacing("-00:00", with: "-24:00"))
    }

    @Test(
        "refuses what is no part of a day",
        arguments: [
            "", "6-20", "06:00", "06:00-06:00", "24:00-06:00", "06:60-07:00", "06:00-25:00", "06:00 - 07:00",
            "00:00-00:00x",
        ])
    func wrongWindows(_ text: String) { #expect(DayWindow(text) == nil) }

    @Test("500 devices are spread over a minute, the same at every start")
    func spread() throws {
        var seconds: [Int64: Int] = [:]
        for number in 0..<500 {
            let device = try #require(DeviceID("gate-\(number)"))
            let shift = PollSchedule.spread(device, over: .seconds(60))
            #expect(shift >= .zero && shift < .seconds(60))
            #expect(shift == PollSchedule.spread(device, over: .seconds(60)))
            seconds[shift.components.seconds, default: 0] += 1
        }
        // 8.3 on average.
        #expect(seconds.values.max() ?? 0 <= 20)
        #expect(seconds.count >= 55)
        #expect(PollSchedule.spread(try #require(DeviceID("lobby")), over: .zero) == .zero)
    }
}
