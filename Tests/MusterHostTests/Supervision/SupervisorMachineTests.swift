import DeviceKit
import Testing

@testable import MusterHost

/// A machine with its clocks.
struct MachineRun {
    var machine: SupervisorMachine
    var now = Instant(secondsSince1970: 1_767_600_000)  // 2026-01-05 08:00:00 UTC, a Monday
    var uptime = Duration.zero
    var lastHeard = Duration.zero
    var random = SplitMix64(seed: 7)
    /// Everything that was to be done, with when.
    var done: [(uptime: Duration, action: SupervisorAction)] = []

    init(capturing: Bool = true, enabled: Bool = true, poll: String = "0 0 1 1 *") throws {
        var plan = SupervisorMachine.Plan(schedule: PollSchedule(try CronSchedule(poll)), zone: .utc)
        plan.isCapturing = capturing
        plan.isEnabled = enabled
        machine = SupervisorMachine(plan)
    }

    @discardableResult
    mutating func handle(_ events: SupervisorEvent...) -> [SupervisorAction] {
        var all: [SupervisorAction] = []
        for event in events {
            let moment = SupervisorMoment(now: now, uptime: uptime, lastHeard: lastHeard)
            let actions = machine.handle(event, at: moment, using: &random)
            done += actions.map { (uptime, $0) }
            all += actions
        }
        return all
    }

    mutating func advance(_ duration: Duration) {
        now = now + duration
        uptime += duration
    }

    /// Moves from deadline to deadline until `end` of uptime and answers what was done; `answer` plays the device.
    mutating func run(until end: Duration, _ answer: (SupervisorAction) -> SupervisorEvent?) {
        var wakes = 0
        while wakes < 100_000 {
            let moment = SupervisorMoment(now: now, uptime: uptime, lastHeard: lastHeard)
            guard let deadline = machine.deadline(at: moment), deadline <= end else { break }
            if deadline > uptime { advance(deadline - uptime) }
            play(handle(.timePassed), answer)
            wakes += 1
        }
        if end > uptime { advance(end - uptime) }
    }

    mutating func play(_ actions: [SupervisorAction], _ answer: (SupervisorAction) -> SupervisorEvent?) {
        var left = actions[...]
        while let action = left.popFirst() {
            if let event = answer(action) { left += handle(event)[...] }
        }
    }

    /// From the start to a session whose log was read.
    static func online(capturing: Bool = true, poll: String = "0 0 1 1 *") throws -> MachineRun {
        var run = try MachineRun(capturing: capturing, poll: poll)
        run.handle(.started, .opened, .pollFinished)
        return run
    }
}

private let gone = DeviceFault(.connectionLost, "gone")
private let refused = DeviceFault(.refused, "refused")

@Suite("The life of a device")
struct SupervisorMachineTests {
    @Test("connects, subscribes, reads the gap, and is online")
    func start() throws {
        var run = try MachineRun()
        #expect(run.handle(.started) == [.open])
        #expect(run.handle(.opened) == [.startCapture, .poll])
        #expect(run.machine.state.name == "catching-up")
        #expect(run.handle(.pollFinished) == [])
        #expect(run.machine.state.name == "online")
    }

    @Test("a disabled device stays where it is, whatever happens")
    func disabled() throws {
        var run = try MachineRun(enabled: false)
        #expect(run.handle(.started, .timePassed, .pollRequested, .opened) == [.close])
        #expect(run.machine.state == .disabled)
        #expect(run.machine.deadline(at: SupervisorMoment(now: run.now, uptime: .zero)) == nil)
    }

    @Test("waits 5 s doubling to 300 s between attempts, with jitter down to half")
    func backoff() throws {
        var run = try MachineRun()
        run.handle(.started)
        var waits: [Double] = []
        for _ in 0..<12 {
            run.handle(.openFailed(refused))
            guard case .backingOff(let until) = run.machine.state else { break }
            waits.append((until - run.uptime).inSeconds)
            run.advance(until - run.uptime)
            #expect(run.handle(.timePassed) == [.open])
        }
        let full = [5.0, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300]
        #expect(waits.count == full.count)
        for (wait, limit) in zip(waits, full) { #expect((limit / 2...limit).contains(wait)) }
        #expect(Set(waits.suffix(6)).count > 1)
    }

    @Test("begins the waits anew after a stable minute, and not before", arguments: [59, 60])
    func stability(_ seconds: Int) throws {
        var run = try MachineRun()
        run.handle(.started)
        for _ in 0..<6 {
            run.handle(.openFailed(refused))
            run.advance(.seconds(300))
            run.handle(.timePassed)
        }
        run.handle(.opened, .pollFinished)
        run.advance(.seconds(seconds))
        #expect(run.handle(.captureEnded(gone)).contains(.close))
        guard case .backingOff(let until) = run.machine.state else {
            Issue.record("not backing off")
            return
        }
        #expect((until - run.uptime <= .seconds(5)) == (seconds >= 60))
    }

    @Test("says once that a device went away and once that it is back")
    func lines() throws {
        var run = try MachineRun.online()
        run.advance(.seconds(100))
        #expect(run.handle(.captureEnded(gone)).contains(.logAway(gone)))
        for _ in 0..<3 {
            run.advance(.seconds(300))
            run.handle(.timePassed)
            #expect(!run.handle(.openFailed(refused)).contains(.logAway(refused)))
        }
        run.advance(.seconds(300))
        run.handle(.timePassed)
        #expect(run.handle(.opened).first == .logBack(after: .seconds(1_200)))
    }

    @Test("alerts once after five failures in a row, and again only after it worked")
    func alerts() throws {
        var run = try MachineRun()
        run.handle(.started)
        func alerts(_ run: MachineRun) -> Int {
            run.done.count { if case .alert = $0.action { true } else { false } }
        }
        for number in 1...9 {
            run.handle(.openFailed(refused))
            #expect(alerts(run) == (number < 5 ? 0 : 1))
            run.advance(.seconds(300))
            run.handle(.timePassed)
        }
        // A connection alone is no success: the log has to be read.
        run.handle(.opened, .captureEnded(gone))
        #expect(alerts(run) == 1)
        run.advance(.seconds(300))
        run.handle(.timePassed, .opened, .pollFinished)
        #expect(run.machine.failuresInARow == 0)
        run.handle(.captureEnded(gone))
        for _ in 0..<4 {
            run.advance(.seconds(300))
            run.handle(.timePassed, .openFailed(refused))
        }
        #expect(alerts(run) == 2)
    }

    @Test("tries rarely after the device refused the credentials")
    func blocked() throws {
        var run = try MachineRun()
        run.handle(.started)
        let fault = DeviceFault(.unauthorised, "wrong key")
        #expect(run.handle(.openFailed(fault)) == [.logBlocked(fault)])
        #expect(run.machine.state == .blocked(until: .seconds(900)))
        run.advance(.seconds(899))
        #expect(run.handle(.timePassed) == [])
        run.advance(.seconds(1))
        #expect(run.handle(.timePassed) == [.open])
    }

    @Test("says that the credentials are refused, also of a device that was away before")
    func blockedWhileAway() throws {
        var run = try MachineRun()
        run.handle(.started, .openFailed(DeviceFault(.refused, "off")))
        run.advance(.seconds(10))
        let fault = DeviceFault(.unauthorised, "wrong key")
        #expect(run.handle(.timePassed, .openFailed(fault)) == [.open, .logBlocked(fault)])
        run.advance(.seconds(900))
        #expect(run.handle(.timePassed, .openFailed(fault)) == [.open])
    }

    @Test("gives a device up whose settings cannot work")
    func faulted() throws {
        var run = try MachineRun()
        let fault = DeviceFault(.unsupported, "never")
        run.handle(.started)
        #expect(run.handle(.openFailed(fault)) == [.logFaulted(fault)])
        #expect(run.machine.state == .faulted(fault))
        run.advance(.seconds(1_000_000))
        #expect(run.handle(.timePassed, .pollRequested) == [])
    }

    @Test("suspends capture after a day without a connection; polls go on by the schedule and any success lifts it")
    func suspension() throws {
        var run = try MachineRun(poll: "0 * * * *")
        run.play(run.handle(.started)) { $0 == .open ? .openFailed(refused) : nil }
        run.run(until: .seconds(86_400 + 600)) { $0 == .open ? .openFailed(refused) : nil }
        #expect(run.machine.state == .suspended)
        #expect(run.done.count { $0.action == .logSuspended } == 1)
        #expect(!run.machine.isRealtimeEnabled)
        let disabledAt = try #require(run.machine.realtimeDisabledAt)
        #expect(
            (.seconds(86_400) ... .seconds(86_400 + 300)).contains(
                disabledAt - Instant(secondsSince1970: 1_767_600_000)))
        let before = run.done.count
        run.run(until: .seconds(86_400 + 4 * 3_600 + 1)) { $0 == .open ? .openFailed(refused) : nil }
        #expect(run.done.dropFirst(before).map(\.action) == [.open, .open, .open, .open])
        run.run(until: .seconds(86_400 + 5 * 3_600 + 1)) { action in
            switch action {
            case .open: .opened
            case .poll: .pollFinished
            default: nil
            }
        }
        #expect(run.done.contains { $0.action == .logResumed })
        #expect(run.machine.isRealtimeEnabled && run.machine.realtimeDisabledAt == nil)
        #expect(run.machine.state.name == "online")
    }

    @Test("asks a silent link after a minute whether it lives, and not while it is heard")
    func keepAlive() throws {
        var run = try MachineRun.online()
        run.run(until: .seconds(59)) { _ in nil }
        #expect(!run.done.contains { $0.action == .keepAlive })
        run.lastHeard = .seconds(59)
        run.run(until: .seconds(118)) { _ in nil }
        #expect(!run.done.contains { $0.action == .keepAlive })
        run.run(until: .seconds(119)) { _ in nil }
        #expect(run.done.last?.action == .keepAlive)
        #expect(run.handle(.operationFailed(DeviceFault(.timedOut, "silent"))).first == .close)
    }

    @Test("reads identity and counts anew every five minutes")
    func refresh() throws {
        var run = try MachineRun.online()
        run.run(until: .seconds(1_000)) { action in
            action == .keepAlive || action == .refresh ? .operationFinished : nil
        }
        #expect(
            run.done.filter { $0.action == .refresh }.map(\.uptime) == [.seconds(300), .seconds(600), .seconds(900)])
    }

    @Test("polls by the schedule on the session, one at a time; what is missed collapses to one")
    func schedule() throws {
        var run = try MachineRun.online(poll: "*/5 * * * *")
        run.run(until: .seconds(300)) { $0 == .keepAlive || $0 == .refresh ? .operationFinished : nil }
        #expect(run.done.last?.action == .poll)
        // The poll takes 17 minutes.
        run.advance(.seconds(1_020))
        #expect(run.handle(.timePassed) == [])
        #expect(run.handle(.pollFinished) == [])
        run.run(until: .seconds(1_500)) { $0 == .keepAlive || $0 == .refresh ? .operationFinished : nil }
        #expect(run.done.filter { $0.action == .poll }.map(\.uptime) == [.zero, .seconds(300), .seconds(1_500)])
    }

    @Test("a log that cannot be read is tried again after 5, 10 and 20 minutes, and the link stays")
    func retries() throws {
        var run = try MachineRun()
        let fault = DeviceFault(.malformed, "odd layout")
        run.handle(.started, .opened)
        #expect(run.handle(.pollFailed(fault)) == [.logPollFailed(fault)])
        #expect(run.machine.state.name == "online")
        run.run(until: .seconds(7_200)) { action in
            switch action {
            case .poll: .pollFailed(fault)
            case .keepAlive, .refresh: .operationFinished
            default: nil
            }
        }
        let polls = run.done.filter { $0.action == .poll }.map(\.uptime)
        #expect(polls == [.zero, .seconds(300), .seconds(900), .seconds(2_100)])
        #expect(!run.done.contains { $0.action == .close })
    }

    @Test("a poll that lost the link drops the session")
    func pollLosesLink() throws {
        var run = try MachineRun()
        run.handle(.started, .opened)
        #expect(run.handle(.pollFailed(gone)).first == .close)
        #expect(run.machine.state.name == "backing-off")
    }

    @Test("a device that is only polled is left alone between polls")
    func pollsOnly() throws {
        var run = try MachineRun(capturing: false, poll: "*/5 * * * *")
        #expect(run.handle(.started, .opened) == [.open, .poll])
        #expect(run.handle(.pollFinished) == [.close])
        #expect(run.machine.state == .idle)
        run.run(until: .seconds(900)) { action in
            switch action {
            case .open: .opened
            case .poll: .pollFinished
            default: nil
            }
        }
        let opened = run.done.filter { $0.action == .open }.map(\.uptime)
        #expect(opened == [.zero, .seconds(300), .seconds(600), .seconds(900)])
    }

    @Test("a poll on request begins at once where it can, and waits for its turn where one runs")
    func requests() throws {
        var online = try MachineRun.online()
        #expect(online.handle(.pollRequested) == [.poll])
        #expect(online.handle(.pollRequested) == [])
        #expect(online.handle(.pollFinished) == [.poll])
        #expect(online.handle(.pollFinished) == [])

        var away = try MachineRun()
        away.handle(.started, .openFailed(refused))
        #expect(away.handle(.pollRequested) == [.open])
    }

    @Test("a poll that was asked for during one is not forgotten when the schedule falls due meanwhile")
    func requestDuringDuePoll() throws {
        var run = try MachineRun.online(poll: "*/5 * * * *")
        #expect(run.handle(.pollRequested) == [.poll])
        #expect(run.handle(.pollRequested) == [])
        run.advance(.seconds(300))
        #expect(run.handle(.timePassed) == [])
        #expect(run.handle(.pollFinished) == [.poll])
        #expect(run.handle(.pollFinished) == [])
    }

    @Test("stops in every state, and begins nothing afterwards")
    func stop() throws {
        var states = [try MachineRun(), try MachineRun.online(), try MachineRun.online(capturing: false)]
        var away = try MachineRun()
        away.handle(.started, .openFailed(refused))
        states.append(away)
        for var run in states {
            let isOpen = run.machine.state.session != nil
            #expect(run.handle(.stopRequested) == (isOpen ? [.close] : []))
            run.advance(.seconds(100_000))
            #expect(run.handle(.timePassed, .opened, .pollFinished, .pollRequested, .started) == [])
            #expect(run.machine.state == .stopping)
        }
    }

    @Test("a step of the host's clock brings no storm and loses no poll", arguments: [3_600, -3_600, 86_400, -86_400])
    func clockSteps(_ step: Int) throws {
        var run = try MachineRun.online(poll: "*/5 * * * *")
        let answer: (SupervisorAction) -> SupervisorEvent? = { action in
            switch action {
            case .poll: .pollFinished
            case .keepAlive, .refresh: .operationFinished
            default: nil
            }
        }
        run.run(until: .seconds(600), answer)
        run.now = run.now + .seconds(step)
        let before = run.done.count { $0.action == .poll }
        run.run(until: .seconds(600 + 3_600), answer)
        let polls = run.done.count { $0.action == .poll } - before
        // Twelve by the schedule, and at most one for what the step passed over.
        #expect((11...13).contains(polls), "\(polls) polls in an hour")
    }
}

/// What an operator, a clock or another device at the address brings into a device's life.
@Suite("The life of a device: interventions")
struct SupervisorInterventionTests {
    @Test("another device at the address is held, tried again after its wait, and let in when it is accepted")
    func held() throws {
        var run = try MachineRun()
        #expect(run.handle(.started, .anotherAnswers) == [.open, .close])
        #expect(run.machine.state == .held(until: .seconds(300)))
        #expect(run.handle(.pollRequested, .captureEnded(gone), .opened) == [.close])
        run.advance(.seconds(299))
        #expect(run.handle(.timePassed) == [])
        run.advance(.seconds(1))
        #expect(run.handle(.timePassed, .anotherAnswers) == [.open, .close])
        #expect(run.handle(.accepted) == [.open])
        #expect(run.handle(.accepted) == [])
        #expect(run.handle(.opened) == [.startCapture, .poll])
        #expect(run.machine.failuresInARow == 0)
    }

    @Test("by hand a device is tried at once, whatever it waits for, and capture is taken up again")
    func resume() throws {
        var suspended = try MachineRun(poll: "0 * * * *")
        suspended.play(suspended.handle(.started)) { $0 == .open ? .openFailed(refused) : nil }
        suspended.run(until: .seconds(87_000)) { $0 == .open ? .openFailed(refused) : nil }
        #expect(suspended.machine.state == .suspended)
        #expect(suspended.handle(.resumeRequested) == [.logResumed, .open])
        #expect(suspended.machine.isRealtimeEnabled && suspended.machine.realtimeDisabledAt == nil)
        suspended.handle(.openFailed(refused))
        // Its day begins anew, and so do its waits.
        guard case .backingOff(let until) = suspended.machine.state else {
            Issue.record("not backing off")
            return
        }
        #expect(until - suspended.uptime <= .seconds(5))

        for fault in [DeviceFault(.unauthorised, "key"), DeviceFault(.unsupported, "never"), refused] {
            var run = try MachineRun()
            run.handle(.started, .openFailed(fault))
            #expect(run.handle(.resumeRequested) == [.open])
        }
        var online = try MachineRun.online()
        #expect(online.handle(.resumeRequested) == [])
        var disabled = try MachineRun(enabled: false)
        #expect(disabled.handle(.started, .resumeRequested) == [])
    }

    @Test("a suspension outlives the host: one attempt at the start, then by the schedule")
    func restored() throws {
        var plan = SupervisorMachine.Plan(schedule: PollSchedule(try CronSchedule("0 * * * *")), zone: .utc)
        let since = Instant(secondsSince1970: 1_767_000_000)
        plan.suspendedSince = since
        var run = try MachineRun()
        run.machine = SupervisorMachine(plan)
        #expect(run.handle(.started, .openFailed(refused)) == [.open, .logAway(refused)])
        #expect(run.machine.state == .suspended && run.machine.realtimeDisabledAt == since)
        run.run(until: .seconds(7_200)) { action in
            switch action {
            case .open: .opened
            case .poll: .pollFinished
            case .keepAlive, .refresh: .operationFinished
            default: nil
            }
        }
        #expect(run.done.filter { $0.action == .open }.map(\.uptime) == [.zero, .seconds(3_600)])
        #expect(run.done.contains { $0.action == .logResumed })
        #expect(run.machine.isRealtimeEnabled && run.machine.realtimeDisabledAt == nil)
    }

    @Test("the clock is set after what runs, before the next poll, and before a polled device is left alone")
    func clock() throws {
        var run = try MachineRun()
        run.handle(.started, .opened)
        #expect(run.handle(.clockSettingWanted, .pollRequested) == [])
        #expect(run.handle(.pollFinished) == [.setClock])
        #expect(run.handle(.operationFinished) == [.poll])
        #expect(run.handle(.pollFinished) == [])
        #expect(run.handle(.clockSettingWanted) == [.setClock])
        #expect(run.handle(.operationFailed(gone)).first == .close)
        #expect(run.handle(.clockSettingWanted) == [])

        var polled = try MachineRun(capturing: false)
        polled.handle(.started, .opened, .clockSettingWanted)
        #expect(polled.handle(.pollFinished) == [.setClock])
        #expect(polled.handle(.operationFinished) == [.close])
    }

    @Test("a device that cannot be polled is looked at as soon as it is connected")
    func captureOnly() throws {
        var plan = SupervisorMachine.Plan(schedule: PollSchedule(try CronSchedule("0 * * * *")), zone: .utc)
        plan.canPoll = false
        var run = try MachineRun()
        run.machine = SupervisorMachine(plan)
        #expect(run.handle(.started, .opened) == [.open, .startCapture])
        #expect(run.machine.state.name == "online")
        #expect(run.handle(.timePassed) == [.refresh])
        run.handle(.operationFinished)
        run.run(until: .seconds(300)) { $0 == .keepAlive ? .operationFinished : nil }
        #expect(run.done.filter { $0.action == .refresh }.map(\.uptime) == [.zero, .seconds(300)])
    }

    @Test("every wait is the one of the settings")
    func timers() throws {
        var timers = LifecycleTimers()
        timers.reconnectBase = .seconds(8)
        timers.reconnectCeiling = .seconds(32)
        timers.stableAfter = .seconds(7)
        timers.blockedRetry = .seconds(11)
        timers.heldRetry = .seconds(13)
        timers.alertAfter = 2
        timers.suspendAfter = .seconds(100)
        timers.keepAliveIdle = .seconds(17)
        timers.identityRefresh = .seconds(41)
        timers.pollRetries = [.seconds(3), .seconds(19)]
        var plan = SupervisorMachine.Plan(schedule: PollSchedule(try CronSchedule("0 0 1 1 *")), zone: .utc)
        plan.timers = timers
        func fresh() throws -> MachineRun {
            var run = try MachineRun()
            run.machine = SupervisorMachine(plan)
            run.handle(.started)
            return run
        }
        func deadline(_ run: MachineRun) -> Duration? {
            run.machine.deadline(at: SupervisorMoment(now: run.now, uptime: run.uptime, lastHeard: run.lastHeard))
        }
        var away = try fresh()
        for ceiling in [8.0, 16, 32, 32] {
            away.handle(.openFailed(refused))
            let wait = try #require(deadline(away)) - away.uptime
            #expect((ceiling / 2...ceiling).contains(wait.inSeconds))
            away.advance(wait)
            away.handle(.timePassed)
        }
        #expect(away.done.filter { if case .alert(2, _) = $0.action { true } else { false } }.count == 1)
        away.advance(.seconds(100) - away.uptime)
        #expect(away.handle(.openFailed(refused)).contains(.logSuspended))

        var blocked = try fresh()
        blocked.handle(.openFailed(DeviceFault(.unauthorised, "key")))
        #expect(deadline(blocked) == .seconds(11))
        var held = try fresh()
        held.handle(.anotherAnswers)
        #expect(deadline(held) == .seconds(13))
        var online = try fresh()
        online.handle(.opened, .pollFinished)
        #expect(deadline(online) == .seconds(7))
        online.advance(.seconds(7))
        online.handle(.timePassed)
        #expect(deadline(online) == .seconds(17))
        online.lastHeard = .seconds(20)
        #expect(deadline(online) == .seconds(37))
        online.lastHeard = .seconds(40)
        #expect(deadline(online) == .seconds(41))
        var failing = try fresh()
        let fault = DeviceFault(.malformed, "odd")
        failing.handle(.opened, .pollFailed(fault))
        #expect(deadline(failing) == .seconds(3))
        failing.advance(.seconds(3))
        #expect(failing.handle(.timePassed) == [.poll])
        failing.handle(.pollFailed(fault))
        #expect(failing.machine.nextDue(at: SupervisorMoment(now: failing.now, uptime: failing.uptime)) == .seconds(7))
    }
}
