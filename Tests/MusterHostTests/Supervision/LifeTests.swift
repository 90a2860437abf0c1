import DeviceKit
import Journal
import Testing

@testable import MusterHost

private let gone = DeviceFault(.connectionLost, "gone")
private let refused = DeviceFault(.refused, "refused")

@Suite("A device through days and weeks")
struct LifeTests {
    @Test("dead for a day, suspended, alive at the next poll: every state, alert and field in its order")
    func deadForADay() throws {
        var run = try LifeRun(poll: "0 * * * *")
        run.handle(.started)
        run.run(until: .seconds(3_700))
        #expect(run.states == ["catching-up", "online"])
        run.events = []
        run.actions = []

        // The link breaks a hundred seconds after nine o'clock, and nothing answers any more.
        let lost = run.uptime
        run.openFault = refused
        run.handle(.captureEnded(gone))
        #expect(run.status.state == "backing-off" && !run.status.isConnected)
        #expect(run.status.lastError == "gone" && run.status.lastErrorAt == run.now)
        run.run(until: lost + .seconds(86_399))
        #expect(run.status.isRealtimeEnabled && run.status.realtimeDisabledAt == nil)
        #expect(run.status.conditions.isEmpty)
        run.run(until: lost + .seconds(86_400 + 300))

        // Suspended with the first failure after the day.
        #expect(run.status.state == "suspended")
        #expect(!run.status.isRealtimeEnabled)
        let suspendedAt = try #require(run.events.first { $0.event == .suspended }?.uptime)
        #expect(suspendedAt - lost >= .seconds(86_400) && suspendedAt - lost <= .seconds(86_700))
        #expect(run.status.realtimeDisabledAt == run.start + suspendedAt)
        #expect(run.status.conditions.all.map(\.code) == [.captureSuspended])
        #expect(run.status.lastPollAt == run.start + .seconds(3_600))
        #expect(run.status.completeThrough == run.start + .seconds(3_600))

        // Two polls by the schedule fail, once an hour and no more often.
        let before = run.actions.count
        run.run(until: .seconds(27 * 3_600 + 1))
        #expect(run.actions.dropFirst(before).map(\.action) == [.open, .open])
        #expect(run.status.state == "suspended")

        // At the next one it answers.
        run.openFault = nil
        run.waiting = 412
        let failures = run.status.failuresInARow
        run.run(until: .seconds(28 * 3_600 + 1))
        let back = Duration.seconds(28 * 3_600)
        #expect(
            run.events.filter { $0.uptime == back }.map(\.event) == [
                .entered(state: "connecting"), .connected,
                .cleared(
                    DeviceCondition(
                        .captureSuspended, "no connection for a long time: punches are only polled",
                        since: run.start + suspendedAt)),
                .cameBack(after: back - lost), .resumed, .entered(state: "catching-up"),
                .complete(through: run.start + back), .polled(summary(412), took: .zero),
                .recovered(after: back - lost, punches: 412), .entered(state: "online"),
            ])
        #expect(
            run.states.withoutRepeatedPairs == [
                "backing-off", "connecting", "suspended", "connecting", "catching-up", "online",
            ]
                || run.states.withoutRepeatedPairs == [
                    "backing-off", "connecting", "backing-off", "connecting", "suspended", "connecting", "catching-up",
                    "online",
                ])
        // One alert, at the fifth failure; one suspension, one resumption.
        let alerts = run.events.filter { if case .failing = $0.event { true } else { false } }.map(\.event)
        #expect(alerts == [.failing(failures: 5, refused)])
        #expect(run.events.count { $0.event == .wentAway(gone) } == 1)
        #expect(run.events.count { $0.event == .suspended } == 1)
        #expect(run.events.count { $0.event == .resumed } == 1)
        #expect(failures > 290 && run.status.failuresInARow == 0)
        #expect(run.status.isConnected && run.status.isRealtimeEnabled && run.status.realtimeDisabledAt == nil)
        #expect(run.status.conditions.isEmpty)
        #expect(run.status.completeThrough == run.start + back && run.status.lastPollAt == run.start + back)
    }

    private func summary(_ count: Int) -> PollSummary {
        var summary = PollSummary()
        summary.read = count
        summary.journaled = count
        return summary
    }

    @Test(
        "the host's clock is stepped: no storm, no missed poll, no wrong watermark",
        arguments: [3_600, -3_600, 86_400, -86_400], [true, false])
    func steps(_ seconds: Int, _ hasClock: Bool) throws {
        var run = try LifeRun()
        run.hasClock = hasClock
        run.handle(.started)
        run.run(until: .seconds(3_610))
        let complete = try #require(run.status.completeThrough)
        run.hostOffset = .seconds(seconds)
        run.actions = []
        var last = complete
        for minute in 1...180 {
            run.run(until: .seconds(3_610 + 60 * minute))
            let now = try #require(run.status.completeThrough)
            #expect(now <= run.truth, "\(now) is claimed at \(run.truth)")
            #expect(now >= last)
            last = now
        }
        let polls = run.uptimes(of: .poll)
        // Three hours by the schedule, and one for what the step may have passed over.
        #expect((36...37).contains(polls.count), "\(polls.count) polls")
        for (earlier, later) in zip(polls, polls.dropFirst()) {
            #expect(later - earlier <= .seconds(360), "no poll between \(earlier) and \(later)")
        }
        #expect(run.actions.count { $0.action == .open } == 0)
        #expect(run.states == ["catching-up", "online"])
        // With a device that shows its clock the watermark goes on; a host that was put back claims nothing new until its
        // own time has come round again.
        if hasClock, seconds > 0 { #expect(run.truth - last <= .seconds(300)) }
    }

    @Test(
        "frozen for a minute, with all clocks or with the uptime alone: nothing is missed, nothing is done twice",
        arguments: [true, false])
    func frozen(_ isUptimeRunning: Bool) throws {
        var run = try LifeRun()
        run.handle(.started)
        run.run(until: .seconds(295))
        run.actions = []
        // The process stands still over the poll at five past.
        if isUptimeRunning { run.uptime += .seconds(60) } else { run.hostOffset = .seconds(60) }
        run.handle(.timePassed)
        #expect(run.uptimes(of: .poll).count == 1)
        run.run(until: .seconds(1_000))
        #expect(run.uptimes(of: .poll).count == 3)
        let complete = try #require(run.status.completeThrough)
        #expect(complete <= run.truth && run.truth - complete <= .seconds(300))
        #expect(!run.actions.contains { $0.action == .close })
    }

    @Test("a thousand small steps of the host's clock bring no poll more than the schedule has")
    func jumpyClock() throws {
        var run = try LifeRun()
        run.handle(.started)
        run.actions = []
        for step in 0..<1_000 {
            run.hostOffset = .seconds(step.isMultiple(of: 2) ? 20 : 0)
            run.run(until: .seconds(60 * (step + 1)))
        }
        #expect((199...201).contains(run.uptimes(of: .poll).count))
    }
}

@Suite("A device whose serial number changes")
struct ReplacedDeviceTests {
    @Test("the first one is trusted; another one is held, looked at every five minutes, and let in when it is accepted")
    func held() throws {
        var run = try LifeRun()
        run.handle(.started)
        #expect(run.status.acceptedSerial == "S1")
        run.run(until: .seconds(100))
        run.serial = "S2"
        run.handle(.captureEnded(gone))
        run.run(until: .seconds(110))
        #expect(run.status.state == "held")
        #expect(run.status.identity.serialNumber == "S1" && run.status.heldSerial == "S2")
        let condition = try #require(run.status.conditions[.deviceReplaced])
        #expect(condition.message.contains("S2") && condition.message.contains("muster device lobby accept"))
        #expect(condition.severity == .critical)
        // Nothing is read from it, whoever asks.
        run.actions = []
        run.handle(.pollRequested)
        let heldAt = run.uptime
        run.run(until: heldAt + .seconds(900))
        #expect(run.actions.allSatisfy { $0.action == .open || $0.action == .close })
        #expect(run.uptimes(of: .open).count == 3)
        let opened = run.uptimes(of: .open)
        for (earlier, later) in zip(opened, opened.dropFirst()) { #expect(later - earlier == .seconds(300)) }

        run.reset = SourceReset(.deviceReplaced, "another serial number")
        let isAccepted = run.keeper.accept()
        #expect(isAccepted)
        run.handle(.accepted)
        #expect(run.status.state == "online")
        #expect(run.status.acceptedSerial == "S2" && run.status.identity.serialNumber == "S2")
        #expect(run.status.conditions[.deviceReplaced] == nil && run.status.heldSerial == nil)
        // What the old one had recorded since it was last read nobody knows.
        #expect(run.status.conditions[.gap] != nil)
        let isEnded = run.keeper.accept()
        #expect(isEnded && run.status.conditions.isEmpty && run.status.gap == nil)
        let isAgain = run.keeper.accept()
        #expect(!isAgain)
    }

    @Test("is let in again by itself when the right one is back")
    func back() throws {
        var run = try LifeRun()
        run.handle(.started)
        run.serial = "S2"
        run.handle(.captureEnded(gone))
        run.run(until: .seconds(20))
        #expect(run.status.state == "held")
        run.serial = "S1"
        run.run(until: .seconds(320))
        #expect(run.status.state == "online" && run.status.conditions.isEmpty)
    }

    @Test("the accepted serial number and what is held outlive the host")
    func restored() throws {
        var run = try LifeRun()
        run.handle(.started)
        run.serial = "S2"
        run.handle(.captureEnded(gone))
        run.run(until: .seconds(20))
        var next = try LifeRun()
        next.keeper.restore(run.status)
        next.serial = "S2"
        next.handle(.started)
        #expect(next.status.state == "held")
        next.serial = "S1"
        next.run(until: .seconds(300))
        #expect(next.status.state == "online")
    }

    @Test("is noticed on a session that is open, too")
    func inSession() throws {
        var run = try LifeRun()
        run.handle(.started)
        let isRight = run.keeper.identified(DeviceIdentity(serialNumber: "S9"), now: run.now)
        #expect(!isRight)
        run.handle(.anotherAnswers)
        #expect(run.actions.last?.action == .close && run.status.state == "held")
    }
}

@Suite("Gaps in a log")
struct GapTests {
    private let rewritten = SourceReset(.logRewritten, "the log is shorter than before")

    @Test("a log that began anew leaves a gap with its bounds, until somebody accepts it")
    func bounds() throws {
        var run = try LifeRun(capturing: false)
        run.handle(.started)
        run.run(until: .seconds(310))
        run.reset = rewritten
        run.run(until: .seconds(610))
        let gap = try #require(run.status.gap)
        #expect(gap == StatusGap(from: run.start + .seconds(300), until: run.start + .seconds(600)))
        #expect(run.status.conditions.all.map(\.code) == [.gap, .logCleared])
        // A second one is added to it.
        run.run(until: .seconds(910))
        run.reset = rewritten
        run.run(until: .seconds(1_210))
        #expect(run.status.gap == StatusGap(from: run.start + .seconds(300), until: run.start + .seconds(1_200)))
        // The log's end is shown for a day, the gap until it is accepted.
        run.run(until: .seconds(2 * 86_400))
        #expect(run.status.conditions.all.map(\.code) == [.gap])
        let isAccepted = run.keeper.accept()
        #expect(isAccepted)
        #expect(run.status.gap == nil)
    }

    @Test("there is none where every punch was received as it happened")
    func captured() throws {
        var run = try LifeRun()
        run.handle(.started)
        run.run(until: .seconds(310))
        run.reset = rewritten
        run.run(until: .seconds(610))
        #expect(run.status.gap == nil)
        #expect(run.status.conditions.all.map(\.code) == [.logCleared])
        // After a break there is one.
        run.handle(.captureEnded(gone))
        run.reset = rewritten
        run.run(until: .seconds(700))
        #expect(run.status.gap?.from == run.start + .seconds(600))
    }

    @Test("a new log that was found by a poll which did not come to its end is a gap for the next one")
    func unfinished() throws {
        var run = try LifeRun(capturing: false)
        run.handle(.started)
        run.epoch = 2
        run.run(until: .seconds(610))
        #expect(run.status.gap == StatusGap(from: run.start, until: run.start + .seconds(300)))
    }

    @Test("there is none at the first contact")
    func first() throws {
        var run = try LifeRun()
        run.reset = rewritten
        run.handle(.started)
        #expect(run.status.gap == nil)
    }
}
