import DeviceKit
import Testing

@Suite("Conditions of a device")
struct DeviceConditionTests {
    private let start = Instant(secondsSince1970: 1_767_600_000)

    @Test("the gravest comes first, then the oldest; each code once")
    func order() {
        var conditions = DeviceConditions()
        #expect(conditions.summary == nil)
        #expect(conditions.raise(DeviceCondition(.clockOff, "60 s", since: start)) == .began)
        #expect(conditions.raise(DeviceCondition(.deviceReplaced, "another", since: start + .seconds(5))) == .began)
        #expect(conditions.raise(DeviceCondition(.logCleared, "again", since: start - .seconds(5))) == .began)
        #expect(conditions.all.map(\.code) == [.deviceReplaced, .logCleared, .clockOff])
        #expect(conditions.summary == "device-replaced: another; log-cleared: again; clock-off: 60 s")
    }

    @Test("one that holds keeps its beginning when its words or its weight change")
    func changes() {
        var conditions = DeviceConditions([DeviceCondition(.logNearlyFull, "90 %", since: start)])
        let later = start + .seconds(300)
        #expect(conditions.raise(DeviceCondition(.logNearlyFull, "90 %", since: later)) == .none)
        #expect(
            conditions.raise(DeviceCondition(.logNearlyFull, "99 %", severity: .critical, since: later)) == .changed)
        #expect(
            conditions.all == [DeviceCondition(.logNearlyFull, "99 %", severity: .critical, since: start)])
        #expect(conditions.clear(.logNearlyFull)?.message == "99 %")
        #expect(conditions.clear(.logNearlyFull) == nil)
        #expect(conditions.isEmpty)
    }

    @Test("tells its keys in JSON")
    func json() {
        let condition = DeviceCondition(.clockUnreadable, "month 13", since: start)
        #expect(
            condition.json.text()
                == #"{"code":"clock-unreadable","message":"month 13","severity":"warning","since":"2026-01-05T08:00:00Z"}"#
        )
    }
}
