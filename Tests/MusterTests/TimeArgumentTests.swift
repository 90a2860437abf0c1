import DeviceKit
import Testing

@testable import muster

@Suite("Times on the command line")
struct TimeArgumentTests {
    @Test(
        "are read in the zone of the device",
        arguments: [
            ("2026-11-24T08:00:00Z", "2026-11-24T08:00:00Z"), ("2026-11-24T08:00:00+02:00", "2026-11-24T06:00:00Z"),
            ("2026-11-24", "2026-11-23T17:00:00Z"), ("2026-11-24 08:00", "2026-11-24T01:00:00Z"),
            ("2026-11-24T08:00:30", "2026-11-24T01:00:30Z"), ("today", "2026-11-23T17:00:00Z"),
            ("yesterday", "2026-11-22T17:00:00Z"), ("-2h", "2026-11-24T03:30:00Z"), ("-7d", "2026-11-17T05:30:00Z"),
        ])
    func forms(text: String, instant: String) throws {
        let zone = try #require(DeviceTimeZone(identifier: "Asia/Ho_Chi_Minh"))
        let now = try #require(Instant(rfc3339: "2026-11-24T05:30:00Z"))
        let argument = try #require(TimeArgument(argument: text))
        #expect(argument.instant(in: zone, now: now).description == instant)
    }

    @Test("refuse what is no time", arguments: ["", "2h", "tomorrow", "2026-11-31", "24.11.2026", "-2", "08:00"])
    func refused(text: String) {
        #expect(TimeArgument(argument: text) == nil)
    }
}
