import Alerts
import DeviceKit
import Journal
import Testing

@testable import MusterHost

@Suite("From the host to the alerts")
struct HostSignalsTests {
    private func configuration(_ device: String = "{driver: zkteco, settings: {address: 10.0.0.1}}") throws
        -> HostConfiguration
    {
        try #require(load("timezone: UTC\ndevices: {lobby: \(device)}").configuration)
    }

    private func signals(_ event: DeviceEvent, _ configuration: HostConfiguration) throws -> [AlertSignal] {
        HostSignals(configuration).signals(
            .device(try #require(DeviceID("lobby")), event), at: Instant(secondsSince1970: 1_767_600_000))
    }

    @Test("an absence counts from the failure, and waits for three of the device's usual intervals")
    func absence() throws {
        let fault = DeviceFault(.unreachable, "no route")
        let captured = try #require(try signals(.wentAway(fault), configuration()).first)
        #expect(captured.key == AlertKey(.deviceOffline, .device("lobby")))
        #expect(captured.detail == "no route")
        #expect(captured.leastHold == .seconds(180))
        let polled = try configuration(
            "{driver: zkteco, settings: {address: 10.0.0.1}, schedule: {capture: false, poll: \"0 * * * *\"}}")
        #expect(try signals(.wentAway(fault), polled).first?.leastHold == .seconds(3 * 3_600))
    }

    @Test("a connection ends the absence, and the poll after it counts what was recovered")
    func presence() throws {
        let configuration = try configuration()
        #expect(try signals(.connected, configuration).map(\.state) == [.clear(awaitsEffect: true)])
        var summary = PollSummary()
        summary.journaled = 7
        #expect(try signals(.polled(summary, took: .zero), configuration).map(\.state) == [.effect(punches: 7)])
    }

    @Test("conditions are rules of their own, raised, cleared and found at the start")
    func conditions() throws {
        let configuration = try configuration()
        let condition = DeviceCondition(.unauthorised, "wrong key", since: Instant(secondsSince1970: 1_767_500_000))
        let raised = try #require(try signals(.raised(condition), configuration).first)
        #expect(raised.key.rule == .deviceAuth)
        #expect(raised.since == condition.since)
        #expect(try signals(.cleared(condition), configuration).map(\.state) == [.clear(awaitsEffect: false)])
        let lobby = try #require(DeviceID("lobby"))
        var status = DeviceStatus(device: lobby, state: "online", updatedAt: condition.since)
        status.conditions.raise(condition)
        status.clockDrift = .seconds(-40)
        let start = HostSignals(configuration).signals(lobby, status)
        #expect(start.last?.state == .measured(40))
        #expect(start.last?.detail == "its clock is 40s behind")
        #expect(start.filter { $0.state == .active(nil) }.map(\.key.rule) == [.deviceAuth])
        #expect(start.count > 4)
    }

    @Test("devices that are disabled or unknown are not alerted of")
    func disabled() throws {
        let configuration = try configuration("{driver: zkteco, enabled: false, settings: {address: 10.0.0.1}}")
        #expect(try signals(.connected, configuration).isEmpty)
        #expect(configuration.alerts.plan(for: configuration).devices.isEmpty)
    }

    @Test(
        "the usual gap at this hour, when most weeks have one",
        arguments: [
            ([8, 8, 8, 8], 7_200.0, 8.0 as Double?), ([8, 8, 2, 8], 900, 1), ([8, 8, 2, 2], 7_200, nil),
            ([0, 0, 0, 0], 7_200, nil),
            ([4, 40, 12, 12], 1_200, 2),
        ])
    func silence(_ counts: [Int], _ seconds: Double, _ factor: Double?) {
        #expect(SilenceWatch.factor(gap: .milliseconds(Int64(seconds * 1_000)), counts: counts) == factor)
    }
}
