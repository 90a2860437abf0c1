import DeviceKit
import Testing

@testable import Alerts

@Suite("From alerts to incidents")
struct IncidentTests {
    @Test("pending until it has lasted, then one message after the group's wait, one recovery with what was recovered")
    func life() {
        var bench = EngineBench(EngineBench.plan())
        bench.away(2)
        #expect(bench.engine.state.alerts.values.map(\.isFiring) == [false])
        bench.run(for: .seconds(299))
        #expect(bench.engine.state.alerts.values.map(\.isFiring) == [false])
        bench.run(for: .seconds(1))
        #expect(bench.engine.state.alerts.values.map(\.isFiring) == [true])
        #expect(bench.takeArrivals() == [])
        bench.run(for: .seconds(30))
        #expect(
            bench.takeArrivals() == [
                .init(.seconds(330), "ops", .firing, "WARNING: Gate 2 (North) cannot be reached")
            ])
        bench.run(for: .seconds(600))
        bench.back(2, recovered: 148)
        bench.run(for: .seconds(30))
        #expect(
            bench.takeArrivals() == [
                .init(
                    .seconds(960), "ops", .resolved,
                    "RESOLVED: Gate 2 (North) is back after 15 min; 148 punches recovered")
            ])
        #expect(bench.engine.state.incidents.isEmpty)
        #expect(bench.ended.map(\.recovered) == [148])
        bench.run(for: hour * 2)
        #expect(bench.engine.state.alerts.isEmpty)
        #expect(bench.takeArrivals() == [])
    }

    @Test("what is over before it has lasted, or before the group's wait, is told to nobody")
    func silent() {
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.run(for: .seconds(200))
        bench.back(1)
        bench.run(for: .seconds(600))
        #expect(bench.takeArrivals() == [])
        bench.away(1)
        bench.run(for: .seconds(310))
        #expect(bench.engine.state.incidents.count == 1)
        bench.back(1)
        bench.run(for: hour)
        #expect(bench.takeArrivals() == [])
        #expect(bench.engine.state.incidents.isEmpty)
        #expect(bench.ended.isEmpty)
    }

    @Test("the recovery waits for the count of what was recovered, but not for ever")
    func awaitsEffect() {
        for (wait, expected) in [(Duration.seconds(120), Duration.seconds(520)), (hour, .seconds(1_030))] {
            var bench = EngineBench(EngineBench.plan())
            bench.away(1)
            bench.run(for: .seconds(400))
            #expect(bench.takeKinds() == ["5m30s ops firing"])
            let subject = AlertSubject.device("gate-1")
            bench.signal(AlertSignal(.deviceOffline, subject, .clear(awaitsEffect: true)))
            bench.run(for: wait)
            bench.signal(AlertSignal(.deviceOffline, subject, .effect(punches: 7)))
            bench.run(for: hour)
            let arrivals = bench.takeArrivals()
            #expect(arrivals.map(\.after) == [expected])
            #expect(arrivals.first?.title.contains(wait < hour ? "7 punches" : "0 punches") == true)
        }
    }

    @Test("devices of one site and one cause are one incident; more of them are told at the group's pace")
    func grouping() {
        var plan = EngineBench.plan(devices: 8)
        plan.siteLink.devices = 100
        var bench = EngineBench(plan)
        bench.away(1)
        bench.run(for: .seconds(20))
        bench.away(2)
        bench.run(for: .seconds(320))
        #expect(
            bench.takeArrivals() == [
                .init(.seconds(330), "ops", .firing, "WARNING: 2 devices at North cannot be reached")
            ])
        bench.away(3)
        bench.run(for: .seconds(320))
        #expect(
            bench.takeArrivals() == [
                .init(.seconds(640), "ops", .update, "WARNING: 3 devices at North cannot be reached")
            ])
        bench.signal(AlertSignal(.deviceAuth, .device("gate-7"), .active(nil), "wrong key"))
        #expect(bench.takeKinds() == ["11m ops firing"])
        #expect(bench.engine.state.incidents.count == 2)
        bench.back(1)
        bench.run(for: .seconds(200))
        #expect(bench.takeArrivals() == [])
        bench.back(2)
        bench.back(3)
        bench.run(for: .seconds(40))
        let arrivals = bench.takeArrivals()
        #expect(arrivals.map(\.kind) == [.resolved])
        #expect(arrivals[0].title.hasPrefix("RESOLVED: 3 devices at North are back after"))
    }

    @Test("devices at other sites, and other causes, are other incidents")
    func separate() {
        var plan = EngineBench.plan(devices: 4)
        plan.devices["gate-2"]?.site = "South"
        plan.devices["gate-3"]?.site = nil
        plan.devices["gate-4"]?.site = nil
        var bench = EngineBench(plan)
        for number in 1...4 { bench.away(number) }
        bench.run(for: .seconds(330))
        #expect(
            Set(bench.takeArrivals().map(\.title)) == [
                "WARNING: Gate 1 (North) cannot be reached", "WARNING: Gate 2 (South) cannot be reached",
                "WARNING: 2 devices cannot be reached",
            ])
    }

    @Test("100 devices behind one dead link are one incident and one recovery")
    func deadLink() throws {
        var bench = EngineBench(EngineBench.plan(devices: 100))
        for number in 1...100 {
            bench.away(number)
            bench.run(for: .milliseconds(600))
        }
        bench.run(for: .seconds(3_000))
        #expect(
            bench.takeArrivals() == [
                .init(
                    .seconds(330), "ops", .firing, "CRITICAL: North has no link: 100 of 100 devices cannot be reached")
            ])
        let message = try #require(bench.messages.last?.message)
        #expect(message.items.count == 100)
        #expect(message.text.contains("Gate 1 (gate-1), Gate 10 (gate-10)"))
        #expect(message.text.contains("and 90 more"))
        #expect(message.text.contains("Seen      did not answer\n"))
        for number in 1...100 {
            bench.back(number, recovered: 3)
            bench.run(for: .seconds(2))
        }
        bench.run(for: hour)
        #expect(
            bench.takeArrivals() == [
                .init(
                    .seconds(3_288), "ops", .resolved,
                    "RESOLVED: North has its link again after 54 min: 100 devices back; 300 punches recovered")
            ])
        #expect(bench.engine.state.incidents.isEmpty)
        #expect(bench.ended.count == 1)
    }

    @Test("a link takes over when the first devices have been told already, in the same thread")
    func lateLink() {
        var plan = EngineBench.plan(devices: 5)
        plan.rules[.deviceOffline]?.holdFor = .zero
        plan.groupWait = .seconds(5)
        var bench = EngineBench(plan)
        bench.away(1)
        bench.run(for: .seconds(6))
        #expect(bench.takeArrivals().map(\.title) == ["WARNING: Gate 1 (North) cannot be reached"])
        for number in 2...5 { bench.away(number) }
        bench.run(for: .seconds(1))
        #expect(
            bench.takeArrivals() == [
                .init(.seconds(6), "ops", .update, "CRITICAL: North has no link: 5 of 5 devices cannot be reached")
            ])
        #expect(Set(bench.messages.map(\.message.thread)).count == 1)
    }

    @Test("devices that stay away when their link is back are told once the others have come")
    func partialReturn() {
        var bench = EngineBench(EngineBench.plan(devices: 20))
        for number in 1...20 { bench.away(number) }
        bench.run(for: .seconds(900))
        #expect(bench.takeKinds() == ["5m30s ops firing"])
        for number in 1...18 { bench.back(number, recovered: 1) }
        bench.run(for: .seconds(590))
        #expect(bench.takeArrivals() == [])
        bench.run(for: .seconds(10))
        #expect(
            bench.takeArrivals() == [
                .init(
                    .seconds(1_500), "ops", .update,
                    "WARNING: North has its link again, but 2 devices cannot be reached")
            ])
        bench.back(19, recovered: 1)
        bench.back(20, recovered: 1)
        bench.run(for: .seconds(60))
        let last = bench.takeArrivals()
        #expect(last.map(\.kind) == [.resolved])
        #expect(last.first?.title.contains("20 devices back; 20 punches recovered") == true)
    }

    @Test(
        "one that was away long before does not keep the others from being a dead link; two alone are not enough of ten"
    )
    func correlation() {
        var bench = EngineBench(EngineBench.plan(devices: 10))
        bench.away(10)
        bench.run(for: hour * 3)
        _ = bench.takeArrivals()
        bench.away(1)
        bench.away(2)
        bench.run(for: .seconds(400))
        #expect(bench.takeArrivals().map(\.kind) == [.update])
        #expect(bench.engine.state.alerts.keys.contains { $0.rule == .siteLink } == false)
        // The seven that were left.
        for number in 3...9 { bench.away(number) }
        bench.run(for: .seconds(400))
        #expect(
            bench.takeArrivals().map(\.title) == ["CRITICAL: North has no link: 10 of 10 devices cannot be reached"])
        for number in 1...10 { bench.back(number) }
        bench.run(for: hour)
        _ = bench.takeArrivals()
        bench.away(10)
        bench.run(for: hour * 3)
        _ = bench.takeArrivals()
        for number in 1...9 { bench.away(number) }
        bench.run(for: .seconds(400))
        #expect(
            bench.takeArrivals().map(\.title) == ["CRITICAL: North has no link: 10 of 10 devices cannot be reached"])
    }

    @Test("a device that cannot be reached mutes what it cannot say; its own refusal mutes its absence")
    func inhibition() {
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.signal(AlertSignal(.clockDrift, .device("gate-1"), .measured(300)))
        bench.signal(AlertSignal(.storageHigh, .device("gate-1"), .measured(99)))
        bench.signal(AlertSignal(.deviceAuth, .device("gate-2"), .active(nil)))
        bench.away(2)
        bench.run(for: .seconds(500))
        #expect(
            Set(bench.takeArrivals().map(\.title)) == [
                "CRITICAL: Gate 2 (North) refuses our key", "WARNING: Gate 1 (North) cannot be reached",
            ])
        bench.back(1)
        bench.run(for: .seconds(60))
        #expect(
            Set(bench.takeArrivals().map(\.title)) == [
                "RESOLVED: Gate 1 (North) is back after 8 min; 0 punches recovered",
                "CRITICAL: Gate 1 (North) shows the wrong time",
                "CRITICAL: Gate 1 (North) has a log that is nearly full",
            ])
    }

    @Test("a full disk mutes the sinks' backlog, and a backlog the single refusals")
    func hostInhibition() {
        var bench = EngineBench(EngineBench.plan())
        bench.signal(
            AlertSignal(.hostDisk, .host, .measured(99)), AlertSignal(.sinkBacklog, .sink("db"), .measured(1_000)),
            AlertSignal(.sinkParked, .sink("db"), .measured(4)))
        bench.run(for: hour / 2)
        #expect(bench.takeArrivals().map(\.title) == ["CRITICAL: this host has little room on its disk"])
        bench.signal(AlertSignal(.hostDisk, .host, .measured(20)))
        bench.run(for: .seconds(60))
        #expect(
            bench.takeArrivals().map(\.title).sorted() == [
                "RESOLVED: this host has room again after 30 min", "WARNING: the sink db waits for punches",
            ])
        bench.signal(AlertSignal(.sinkBacklog, .sink("db"), .measured(0)))
        bench.run(for: .seconds(60))
        #expect(bench.takeArrivals().map(\.kind) == [.resolved, .firing])
    }

    @Test("thresholds decide the severity; a greater one is told at once")
    func thresholds() {
        var plan = EngineBench.plan()
        plan.rules[.clockDrift]?.warningAt = 10
        var bench = EngineBench(plan)
        let subject = AlertSubject.device("gate-1")
        bench.signal(AlertSignal(.clockDrift, subject, .measured(9)))
        bench.run(for: .seconds(60))
        #expect(bench.takeArrivals() == [])
        bench.signal(AlertSignal(.clockDrift, subject, .measured(11), "11 s behind"))
        bench.run(for: .seconds(31))
        #expect(bench.takeArrivals().map(\.title) == ["WARNING: Gate 1 (North) shows the wrong time"])
        bench.signal(AlertSignal(.clockDrift, subject, .measured(121), "121 s behind"))
        let arrivals = bench.takeArrivals()
        #expect(arrivals.map(\.title) == ["CRITICAL: Gate 1 (North) shows the wrong time"])
        #expect(arrivals.map(\.kind) == [.update])
        #expect(bench.messages.last?.message.text.contains("121 s behind") == true)
    }

    @Test("a device that stays away becomes critical after an hour, within its hours only")
    func overdue() throws {
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.run(for: hour * 2)
        #expect(bench.takeKinds() == ["5m30s ops firing", "1h ops update", "2h ops reminder"])
        var plan = EngineBench.plan()
        plan.rules[.deviceOffline]?.hours = [try #require(HoursOfWeek("mon-fri 14:00-16:00"))]
        bench = EngineBench(plan)
        bench.away(1)
        bench.run(for: hour * 2 - .seconds(1))
        #expect(bench.takeArrivals() == [])
        bench.run(for: .seconds(60))
        #expect(bench.takeKinds() == ["2h30s ops firing"])
        #expect(bench.messages.map(\.message.severity) == [.critical])
    }

    @Test("something that only happens counts as over after a while without another")
    func momentary() {
        var bench = EngineBench(EngineBench.plan())
        let signal = AlertSignal(.clockJump, .device("gate-1"), .happened(lasting: hour), "2099-01-01")
        bench.signal(signal)
        bench.run(for: hour / 2)
        bench.signal(signal)
        bench.run(for: hour * 2)
        #expect(bench.takeKinds() == ["30s ops firing", "1h30s ops reminder", "1h30m30s ops resolved"])
    }

    @Test("rules that are off, and subjects that are not configured, are not told")
    func unknown() {
        var plan = EngineBench.plan()
        plan.rules[.clockDrift]?.isEnabled = false
        var bench = EngineBench(plan)
        bench.signal(
            AlertSignal(.clockDrift, .device("gate-1"), .measured(500)),
            AlertSignal(.deviceAuth, .device("x"), .active(nil)),
            AlertSignal(.sinkParked, .sink("gone"), .measured(5)))
        bench.run(for: hour)
        #expect(bench.takeArrivals() == [])
        bench.away(1)
        bench.run(for: .seconds(400))
        #expect(bench.takeKinds().count == 1)
        plan.devices["gate-1"] = nil
        bench.engine.replan(plan)
        bench.run(for: .seconds(31))
        #expect(bench.takeArrivals().map(\.kind) == [.resolved])
    }
}

@Suite("How often, and who hears of it")
struct AttentionTests {
    @Test("a critical incident is told again after 1, 4, 12, 24 and 24 hours; a warning after 12")
    func repeats() {
        var bench = EngineBench(EngineBench.plan())
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        bench.run(for: hour * 66)
        #expect(
            bench.takeKinds() == [
                "0s ops firing", "1h ops reminder", "5h ops reminder", "17h ops reminder", "1d17h ops reminder",
                "2d17h ops reminder",
            ])
        bench = EngineBench(EngineBench.plan())
        bench.signal(AlertSignal(.sinkParked, .sink("db"), .measured(3)))
        bench.run(for: hour * 37)
        #expect(bench.takeKinds() == ["30s ops firing", "12h30s ops reminder", "1d12h30s ops reminder"])
    }

    @Test("an acknowledged incident is not told again, but its end and its aggravation are")
    func acknowledgement() {
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.run(for: .seconds(400))
        let id = bench.engine.state.incidents.keys.first ?? 0
        #expect(bench.engine.acknowledge(id, by: "ada", at: bench.moment) == true)
        #expect(bench.engine.acknowledge(99, by: "ada", at: bench.moment) == false)
        _ = bench.takeArrivals()
        bench.run(for: .seconds(3_000))
        #expect(bench.takeArrivals() == [])
        bench.run(for: .seconds(300))
        #expect(bench.takeKinds() == ["1h ops update"])
        #expect(bench.engine.acknowledge(id, by: "ada", at: bench.moment) == true)
        bench.run(for: hour * 30)
        #expect(bench.takeArrivals() == [])
        bench.back(1)
        bench.run(for: .seconds(60))
        #expect(bench.takeArrivals().map(\.kind) == [.resolved])
        #expect(bench.messages.last?.message.acknowledgedBy == "ada")
    }

    private func escalating() -> AlertPlan {
        var plan = EngineBench.plan(channels: ["site", "it", "manager"].map { ChannelPlan(name: $0) })
        plan.steps = [
            EscalationStep(after: .zero, channels: ["site"], severity: .info),
            EscalationStep(after: .seconds(900), channels: ["it"], severity: .warning),
            EscalationStep(after: hour, channels: ["manager"], severity: .critical),
        ]
        plan.rules[.deviceOffline]?.criticalAfter = nil
        return plan
    }

    @Test("steps are told after their delays, by severity, and hear of the end")
    func escalation() {
        var bench = EngineBench(escalating())
        bench.away(1)
        bench.signal(AlertSignal(.deviceAuth, .device("gate-2"), .active(nil)))
        bench.run(for: hour + .seconds(400))
        #expect(
            bench.takeKinds() == [
                "0s site firing", "5m30s site firing", "15m it firing", "20m30s it firing", "1h site reminder",
                "1h it reminder", "1h manager firing",
            ])
        bench.back(1)
        bench.signal(AlertSignal(.deviceAuth, .device("gate-2"), .clear(awaitsEffect: false)))
        bench.run(for: .seconds(60))
        #expect(
            bench.takeArrivals().map { "\($0.channel) \($0.kind.rawValue)" }.sorted() == [
                "it resolved", "it resolved", "manager resolved", "site resolved", "site resolved",
            ])
    }

    @Test("acknowledging stops the steps, and so does the end")
    func cancelledEscalation() {
        var bench = EngineBench(escalating())
        bench.away(1)
        bench.run(for: .seconds(400))
        #expect(bench.engine.acknowledge(1, by: "ada", at: bench.moment) == true)
        bench.run(for: hour * 3)
        #expect(bench.takeKinds() == ["5m30s site firing"])
        bench = EngineBench(escalating())
        bench.away(1)
        bench.run(for: .seconds(400))
        bench.back(1)
        bench.run(for: hour * 3)
        #expect(bench.takeKinds() == ["5m30s site firing", "7m10s site resolved"])
    }

    @Test("a channel that wants critical incidents only hears of one when it becomes critical")
    func severityOfChannel() {
        var pager = ChannelPlan(name: "pager")
        pager.severity = .critical
        var bench = EngineBench(EngineBench.plan(channels: [ChannelPlan(name: "ops"), pager]))
        bench.away(1)
        bench.run(for: .seconds(3_700))
        #expect(bench.takeKinds() == ["5m30s ops firing", "1h ops update", "1h pager update"])
        bench.back(1)
        bench.run(for: .seconds(60))
        #expect(bench.takeArrivals().map(\.channel) == ["ops", "pager"])
    }

    @Test("more than 4 changes in an hour are one unstable thing, until it was calm for 30 minutes")
    func flapping() {
        var bench = EngineBench(EngineBench.plan())
        for round in 0..<10 {
            if round.isMultiple(of: 2) { bench.away(1) } else { bench.back(1, recovered: 2) }
            bench.run(for: minute * 2)
        }
        // The fifth change comes after 8 minutes.
        #expect(
            bench.takeArrivals() == [
                .init(.seconds(510), "ops", .firing, "WARNING: Gate 1 (North) is unstable: it comes and goes")
            ])
        // The last change was after 18 minutes, and back it has been since.
        bench.run(for: minute * 27)
        #expect(bench.takeArrivals() == [])
        bench.run(for: minute * 2)
        let last = bench.takeArrivals()
        #expect(last.map(\.kind) == [.resolved])
        #expect(last.map(\.after) == [minute * 48 + .seconds(30)])
    }

    @Test("unstable and then away for good is an ordinary absence")
    func flappingAndGone() {
        var bench = EngineBench(EngineBench.plan())
        for round in 0..<7 {
            if round.isMultiple(of: 2) { bench.away(1) } else { bench.back(1) }
            bench.run(for: minute)
        }
        bench.run(for: hour * 2)
        #expect(
            bench.takeKinds() == ["4m30s ops firing", "1h6m ops update", "2h6m ops reminder"])
        #expect(bench.messages.last?.message.title == "STILL CRITICAL: Gate 1 (North) cannot be reached")
    }

    @Test("silences keep an alert from being told, by device, site or rule, until they end")
    func silences() {
        for (rule, subject) in [
            (AlertRule.deviceOffline as AlertRule?, nil as AlertSubject?), (nil, .device("gate-1")),
            (nil, .site("North")),
            (nil, nil),
        ] {
            var bench = EngineBench(EngineBench.plan())
            let id = bench.engine.silence(rule, subject, for: hour, by: "ada", why: "works", at: bench.moment)
            bench.away(1)
            bench.run(for: hour - .seconds(1))
            #expect(bench.takeArrivals() == [])
            bench.run(for: .seconds(60))
            #expect(bench.takeArrivals().map(\.kind) == [.firing])
            #expect(bench.engine.endSilence(id) == false)
        }
        var bench = EngineBench(EngineBench.plan())
        let id = bench.engine.silence(nil, .device("gate-2"), for: hour, by: "ada", why: "", at: bench.moment)
        bench.away(1)
        bench.away(2)
        bench.run(for: .seconds(400))
        #expect(bench.takeArrivals().map(\.title) == ["WARNING: Gate 1 (North) cannot be reached"])
        #expect(bench.engine.endSilence(id) == true)
        bench.run(for: .seconds(400))
        #expect(bench.takeArrivals().map(\.title) == ["WARNING: 2 devices at North cannot be reached"])
    }
}
