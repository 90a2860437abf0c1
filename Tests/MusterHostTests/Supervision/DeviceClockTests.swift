import DeviceKit
import Journal
import Testing

@testable import MusterHost

@Suite("A device's clock")
struct DeviceClockTests {
    @Test("is read at each connection and with each poll; only watched unless told otherwise")
    func watched() throws {
        var run = try LifeRun()
        run.deviceOffset = .seconds(-31)
        run.handle(.started)
        #expect(run.status.clockDrift == .seconds(-31))
        #expect(run.status.clockReadAt == run.start)
        #expect(run.status.conditions[.clockOff]?.message == "the device's clock is 31s behind")
        run.run(until: .seconds(4 * 86_400))
        #expect(!run.actions.contains { $0.action == .setClock })
        run.deviceOffset = .seconds(30)
        run.run(until: .seconds(4 * 86_400 + 300))
        #expect(run.status.clockDrift == .seconds(30) && run.status.conditions.isEmpty)
    }

    @Test("an hour off is told as what it most likely is")
    func daylight() throws {
        var run = try LifeRun()
        run.deviceOffset = .seconds(3_600)
        run.handle(.started)
        #expect(
            run.status.conditions[.clockOff]?.message
                == "the device's clock is 1h ahead: look at its daylight-saving time")
    }

    @Test("one that shows no date is a condition and no fault, and holds the watermark")
    func unreadable() throws {
        var run = try LifeRun()
        run.handle(.started)
        run.run(until: .seconds(300))
        let complete = run.status.completeThrough
        run.deviceOffset = nil
        run.run(until: .seconds(1_000))
        #expect(run.status.conditions.all.map(\.code) == [.clockUnreadable])
        #expect(run.status.clockDrift == nil && run.status.state == "online")
        #expect(run.status.completeThrough == complete)
        run.deviceOffset = .zero
        run.run(until: .seconds(1_300))
        #expect(run.status.conditions.isEmpty && run.status.completeThrough == run.start + .seconds(1_200))
    }

    @Test("is set when it drifts, once it has been read, and not more often than once an hour")
    func drift() throws {
        var run = try LifeRun(clock: ClockPlan(sync: .drift, maxDrift: .seconds(10)))
        run.deviceOffset = .seconds(11)
        run.handle(.started)
        #expect(run.actions.map(\.action) == [.open, .startCapture, .poll, .setClock])
        #expect(run.deviceOffset == .zero)
        #expect(run.status.clockSetAt == run.start && run.status.clockDrift == .zero)
        // It went back past a punch, and that is told.
        #expect(run.events.contains { $0.event == .clockSet(by: .seconds(-11), acrossPunches: false) } == true)
        run.deviceOffset = .seconds(-20)
        run.run(until: .seconds(3_599))
        #expect(run.uptimes(of: .setClock) == [.zero])
        #expect(run.status.conditions.all.map(\.code) == [.clockOff])
        run.run(until: .seconds(3_900))
        #expect(run.uptimes(of: .setClock) == [.zero, .seconds(3_600)])
        #expect(run.status.conditions.isEmpty)
    }

    @Test("set back past punches is noted for a day")
    func back() throws {
        var run = try LifeRun(clock: ClockPlan(sync: .drift))
        run.handle(.started)
        _ = run.keeper.clockRead(
            ClockSample(.time(run.zone.localTime(at: run.now + .seconds(95))), now: run.now, uptime: .zero))
        run.keeper.clockSet(
            ClockSample(.time(run.zone.localTime(at: run.now)), now: run.now, uptime: .zero),
            newestPunch: run.now + .seconds(60))
        #expect(run.status.conditions[.clockSetBack]?.message.contains("set back by 1m35s, past punches") == true)
        let told = run.keeper.takeEvents()
        #expect(told.contains(.clockSet(by: .seconds(-95), acrossPunches: true)))
        run.run(until: .seconds(86_400 + 300))
        #expect(run.status.conditions.isEmpty)
    }

    @Test("is set once a day where that is wanted, and when it is far off")
    func daily() throws {
        var run = try LifeRun(poll: "0 * * * *", clock: ClockPlan(sync: .daily))
        run.deviceOffset = .seconds(3)
        run.handle(.started)
        for hour in 1...72 {
            run.run(until: .seconds(3_600 * hour + 1))
            run.deviceOffset = (run.deviceOffset ?? .zero) + .milliseconds(200)
        }
        // 4.8 s a day.
        #expect(run.uptimes(of: .setClock).map { $0.components.seconds / 86_400 } == [0, 1, 2, 3])
        run.deviceOffset = .seconds(600)
        run.run(until: .seconds(73 * 3_600 + 1))
        #expect(run.uptimes(of: .setClock).count == 5)
    }

    @Test("is not set by a host whose own clock was set a moment ago", arguments: [86_400, -86_400])
    func doubtfulHost(_ step: Int) throws {
        var run = try LifeRun(poll: "0 * * * *", clock: ClockPlan(sync: .drift))
        run.handle(.started)
        run.run(until: .seconds(3_700))
        run.hostOffset = .seconds(step)
        run.run(until: .seconds(3_700 + 86_000))
        #expect(run.uptimes(of: .setClock).isEmpty)
        #expect(run.status.conditions[.clockOff] != nil)
        // After a day it is believed.
        run.run(until: .seconds(3_700 + 2 * 86_400))
        #expect(run.uptimes(of: .setClock).count == 1)
    }

    @Test("an unset clock is set although it shows no date")
    func garbage() throws {
        var run = try LifeRun(clock: ClockPlan(sync: .drift))
        run.deviceOffset = nil
        run.handle(.started)
        #expect(run.deviceOffset == .zero && run.status.conditions.isEmpty)
    }

    @Test("what it differs by is judged in its own zone, through the night when clocks change")
    func zones() throws {
        for name in ["Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "Asia/Kathmandu"] {
            let zone = try #require(DeviceTimeZone(identifier: name))
            var run = try LifeRun(zone: zone)
            run.start = Instant(secondsSince1970: 1_774_000_000)  // 2026-03-20, before the changes of this spring
            run.handle(.started)
            for day in 1...30 {
                run.run(until: .seconds(86_400 * day))
                #expect(run.status.clockDrift == .zero, "\(name)")
                #expect(run.status.conditions.isEmpty)
                let complete = try #require(run.status.completeThrough)
                #expect(complete <= run.truth && run.truth - complete <= .seconds(300))
            }
        }
    }
}

@Suite("Watermarks")
struct WatermarkTests {
    private let now = Instant(secondsSince1970: 1_767_600_000)

    private func after(_ deviceOffset: Int64?, hasClock: Bool = true, watch: HostClockWatch = HostClockWatch())
        -> Instant?
    {
        let shown: ClockSample.Shown =
            deviceOffset.map { .time(DeviceTimeZone.utc.localTime(at: now + .seconds($0))) } ?? .nothing("month 13")
        let reading = hasClock ? ClockSample(shown, now: now, uptime: .seconds(100)) : nil
        return Watermark.after(
            reading, beginning: (now + .milliseconds(700), .seconds(100)), zone: .utc, plan: ClockPlan(), watch: watch)
    }

    @Test("takes the earlier of the device's and the host's time")
    func earlier() {
        #expect(after(0) == now)
        #expect(after(600) == now)
        #expect(after(-600) == now - .seconds(600))
        #expect(after(nil) == nil)
        #expect(after(0, hasClock: false) == now + .milliseconds(700) - .milliseconds(30_700))
    }

    @Test("after a step of the host's clock the earlier time holds, unless the device agrees")
    func doubt() {
        var watch = HostClockWatch()
        watch.look(now: now - .seconds(86_500), uptime: .zero)
        watch.look(now: now - .seconds(60), uptime: .seconds(40))
        // The host was put ahead by a day, all but a minute.
        #expect(watch.isDoubtful)
        #expect(after(-86_400, watch: watch) == now - .seconds(86_400))
        #expect(after(0, watch: watch) == now)
        #expect(after(600, watch: watch).map { $0 < now - .seconds(86_000) } == true)
        #expect(after(0, hasClock: false, watch: watch).map { $0 < now - .seconds(86_000) } == true)
    }

    @Test("slow corrections are no steps; a step is believed after a day")
    func watch() {
        var watch = HostClockWatch()
        var wall = now
        for minute in 0..<10_000 {
            watch.look(now: wall, uptime: .seconds(60 * minute))
            wall = wall + .seconds(60) + .milliseconds(30)
        }
        #expect(!watch.isDoubtful)
        watch.look(now: wall + .seconds(60), uptime: .seconds(600_000))
        #expect(watch.isDoubtful)
        #expect(watch.earliest(now: wall + .seconds(60), uptime: .seconds(600_000)) <= wall)
        watch.look(now: wall + .seconds(86_461), uptime: .seconds(600_000 + 86_401))
        #expect(!watch.isDoubtful)
    }
}
