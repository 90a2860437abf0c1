import DeviceKit
import Testing

@testable import MusterHost

@Suite("From records to punches")
struct IntakeTests {
    private static let now = Instant(secondsSince1970: 1_793_500_000)  // 2026-11-01, the night of the clock change

    private func zone(_ name: String) throws -> DeviceTimeZone { try #require(DeviceTimeZone(identifier: name)) }

    private func record(_ time: String, code: String = "7") throws -> PunchRecord {
        PunchRecord(
            code: code, localTime: try #require(LocalDateTime(time)), direction: Direction(.in, raw: 0),
            verification: Verification(.card, raw: 4))
    }

    private func intake(_ zoneName: String = "America/New_York", _ source: Punch.Source = .poll) throws -> Intake {
        Intake(device: try #require(DeviceID("lobby")), zone: try zone(zoneName), source: source)
    }

    @Test("applies the zone of the device")
    func zones() throws {
        var intake = try intake("Asia/Ho_Chi_Minh")
        let punch = intake.punch(try record("2026-11-24 08:30:00"), receivedAt: Self.now + .seconds(86_400 * 40))
        #expect(punch.time.description == "2026-11-24T01:30:00Z")
        #expect(punch.isValid && punch.notes.isEmpty)
    }

    @Test("moves a time that does not exist forward, and says so")
    func gap() throws {
        var intake = try intake()
        let punch = intake.punch(try record("2026-03-08 02:30:00"), receivedAt: Self.now)
        #expect(punch.time.description == "2026-03-08T07:30:00Z")
        #expect(punch.notes.contains("does not exist"))
        #expect(punch.localTime.description == "2026-03-08 02:30:00")
    }

    @Test("reads a repeated hour by the order of the log")
    func overlap() throws {
        var intake = try intake()
        let times = ["2026-11-01 01:50:00", "2026-11-01 01:10:00", "2026-11-01 01:40:00"]
        let punches = try times.map { intake.punch(try record($0), receivedAt: Self.now + .seconds(86_400)) }
        #expect(
            punches.map(\.time.description) == [
                "2026-11-01T05:50:00Z", "2026-11-01T06:10:00Z", "2026-11-01T06:40:00Z",
            ])
        #expect(punches[0].notes.isEmpty && !punches[1].notes.isEmpty)
    }

    @Test("the same person at the same wall time twice is two punches of a repeated hour")
    func twice() throws {
        var intake = try intake()
        let first = intake.punch(try record("2026-11-01 01:30:00"), receivedAt: Self.now + .seconds(86_400))
        let second = intake.punch(try record("2026-11-01 01:30:00"), receivedAt: Self.now + .seconds(86_400))
        #expect(second.time - first.time == .seconds(3_600))
    }

    @Test("a record of a repeated hour that the journal has is the same punch", arguments: [0, 3_600])
    func known(_ offset: Int) throws {
        let known = try #require(Instant(rfc3339: "2026-11-01T05:10:00Z")) + .seconds(offset)
        var intake = try intake()
        intake.memory.known = [Intake.Moment(code: "7", instant: known)]
        #expect(intake.punch(try record("2026-11-01 01:10:00"), receivedAt: Self.now).time == known)
    }

    @Test("a log goes on where the last poll left it, also within a repeated hour")
    func continued() throws {
        var intake = try intake()
        intake.memory.logTime = Instant(rfc3339: "2026-11-01T05:50:00Z")
        let time = intake.punch(try record("2026-11-01 01:10:00"), receivedAt: Self.now).time
        #expect(time.description == "2026-11-01T06:10:00Z")
    }

    @Test("a punch that was read before is not moved by what was read after it")
    func readAgain() throws {
        var intake = try intake()
        let first = try #require(Instant(rfc3339: "2026-11-01T05:10:00Z"))
        intake.memory = Intake.Memory(
            known: [Intake.Moment(code: "7", instant: first)], logTime: first + .seconds(3_000))
        #expect(intake.punch(try record("2026-11-01 01:10:00"), receivedAt: Self.now).time == first)
        #expect(
            intake.punch(try record("2026-11-01 01:10:00", code: "8"), receivedAt: Self.now).time == first,
            "somebody else at the same second")
    }

    @Test("a captured punch is the reading that is nearer to now", arguments: [0, 3_600])
    func captured(_ offset: Int) throws {
        var intake = try intake("America/New_York", .capture)
        let first = try #require(Instant(rfc3339: "2026-11-01T05:30:00Z"))
        let punch = intake.punch(try record("2026-11-01 01:30:00"), receivedAt: first + .seconds(offset + 2))
        #expect(punch.time == first + .seconds(offset))
    }

    @Test("keeps implausible times and marks them invalid", arguments: ["1999-12-31 12:00:00", "2026-11-03 12:00:00"])
    func implausible(_ time: String) throws {
        var intake = try intake("America/New_York")
        let punch = intake.punch(try record(time), receivedAt: Self.now)
        #expect(!punch.isValid)
        #expect(!punch.notes.isEmpty)
    }

    @Test("knows where the windows of the schedule begin")
    func floors() throws {
        let zone = try zone("Asia/Ho_Chi_Minh")
        let now = try #require(Instant(rfc3339: "2026-11-24T18:00:00Z"))  // 01:00 of the 25th there
        #expect(HistoryFloor.start(of: .all, zone: zone, now: now) == nil)
        #expect(HistoryFloor.start(of: .today, zone: zone, now: now)?.description == "2026-11-25 00:00:00")
        #expect(HistoryFloor.start(of: .days(7), zone: zone, now: now)?.description == "2026-11-19 00:00:00")
    }
}
