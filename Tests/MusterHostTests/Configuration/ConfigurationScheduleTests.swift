import DeviceKit
import MusterHost
import Testing

@Suite("Sites, clocks and schedules in a configuration")
struct ConfigurationScheduleTests {
    private func devices(_ text: String) throws -> [HostConfiguration.Device] {
        let loading = load(text)
        #expect(loading.report.text == "")
        return try #require(loading.configuration).devices
    }

    @Test("reads intervals, parts of the day, offsets, clocks and sites, each over the defaults")
    func everything() throws {
        let devices = try devices(
            """
            timezone: Asia/Kathmandu
            sites: {hq: {concurrency: 2}, yard: }
            defaults:
              schedule: {poll: "0 * * * *", jitter: 10s, between: 06:00-20:00}
              clock: {sync: drift}
              lifecycle: {stable_after: 2m, open_timeout: 30s, keep_alive_timeout: 5s, held_retry: 1m}
            devices:
              a: {driver: simulator, site: hq}
              b:
                driver: simulator
                site: yard
                schedule: {every: 15m, offset: 90s, timezone: Europe/London}
                clock: {max_drift: 5s}
              c: {driver: simulator, schedule: {poll: "@daily"}, clock: {sync: never}}
            """)
        #expect(devices.map(\.schedule.poll.text) == ["0 * * * *", "every 15m", "@daily"])
        #expect(devices.map(\.schedule.poll.between) == Array(repeating: DayWindow("06:00-20:00"), count: 3))
        #expect(devices.map(\.schedule.zone?.identifier) == [nil, "Europe/London", nil])
        #expect(devices[1].schedule.poll.shift == .seconds(90))
        let spread = devices.map { PollSchedule.spread($0.id, over: .seconds(10)) }
        #expect(devices[0].schedule.poll.shift == spread[0] && devices[2].schedule.poll.shift == spread[2])
        #expect(
            devices.map(\.clock) == [
                ClockPlan(sync: .drift), ClockPlan(sync: .drift, maxDrift: .seconds(5)), ClockPlan(sync: .never),
            ])
        #expect(devices.map(\.site) == ["hq", "yard", nil])
        let timers = devices[0].lifecycle
        #expect(timers.stableAfter == .seconds(120) && timers.openTimeout == .seconds(30))
        #expect(timers.keepAliveTimeout == .seconds(5) && timers.heldRetry == .seconds(60))
        let sites = load("sites: {hq: {concurrency: 2}, yard: }\ndevices: {}").configuration?.sites
        #expect(sites == [.init(name: "hq", concurrency: 2), .init(name: "yard", concurrency: 4)])
    }

    @Test("a device's own poll replaces an interval of the defaults, and the other way round")
    func nearer() throws {
        let devices = try devices(
            """
            timezone: UTC
            defaults: {schedule: {every: 10m, offset: 5s}}
            devices:
              a: {driver: simulator, schedule: {poll: "0 3 * * *"}}
              b: {driver: simulator}
              c: {driver: simulator, schedule: {every: 1h, jitter: 0s}}
            """)
        #expect(devices.map(\.schedule.poll.text) == ["0 3 * * *", "every 10m", "every 1h"])
        #expect(devices.map(\.schedule.poll.shift) == [.seconds(5), .seconds(5), .zero])
    }

    @Test(
        "names each mistake",
        arguments: [
            (
                "devices: {a: {driver: simulator, schedule: {every: 5m, poll: '* * * * *'}}}",
                "devices.a.schedule.every: every stands in place of poll: only one of them can be given"
            ),
            (
                "defaults: {schedule: {offset: 5s, jitter: 9s}}\ndevices: {}",
                "defaults.schedule.offset: offset stands in place of jitter: only one of them can be given"
            ),
            ("devices: {a: {driver: simulator, site: hq}}", "devices.a.site: there is no site 'hq'"),
            ("sites: {hq: {concurrency: 0}}\ndevices: {}", "sites.hq.concurrency: 0 is outside 1…1000"),
            ("devices: {a: {driver: simulator, clock: {sync: often}}}", "devices.a.clock.sync:"),
            (
                "devices: {a: {driver: simulator, schedule: {between: 6-20}}}",
                "devices.a.schedule.between: '6-20' is not a part of a day"
            ),
            (
                "devices: {a: {driver: simulator, schedule: {poll: '0 0 30 2 *'}}}",
                "devices.a.schedule.poll: the days do not exist in the months: it would never be due"
            ),
        ])
    func mistakes(_ text: String, _ message: String) {
        #expect(load("timezone: UTC\n" + text).report.text.contains(message))
    }
}
