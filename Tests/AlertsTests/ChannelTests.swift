import DeviceKit
import Testing

@testable import Alerts

@Suite("What channels let through")
struct ChannelTests {
    private let night = Instant(secondsSince1970: 1_767_654_000)  // Monday, 23:00 UTC

    private func quietPlan(_ change: (inout ChannelPlan) -> Void = { _ in }) throws -> AlertPlan {
        var channel = ChannelPlan(name: "ops")
        channel.quiet = [try #require(HoursOfWeek("22:00-06:00"))]
        channel.zone = .utc
        change(&channel)
        var plan = EngineBench.plan(channels: [channel])
        plan.rules[.deviceOffline]?.criticalAfter = nil
        return plan
    }

    @Test("in quiet hours warnings wait for one digest in the morning")
    func digest() throws {
        var bench = EngineBench(try quietPlan(), start: night)
        bench.away(1)
        bench.run(for: hour)
        bench.signal(AlertSignal(.sinkParked, .sink("db"), .measured(3)))
        bench.run(for: hour)
        bench.back(1, recovered: 9)
        bench.run(for: hour * 5 - .seconds(1))
        #expect(bench.takeArrivals() == [])
        bench.run(for: .seconds(60))
        #expect(
            bench.takeArrivals() == [
                .init(hour * 7, "ops", .digest, "2 incidents since the last message, 1 of them still open")
            ])
        #expect(
            bench.messages.last?.message.text == """
                2026-01-06 00:00:30  WARNING: the sink db refused punches for good
                2026-01-06 01:00:30  RESOLVED: Gate 1 (North) is back after 2 h; 9 punches recovered
                Times are of UTC.

                """)
    }

    @Test("what is critical breaks through, and so does its end")
    func breakThrough() throws {
        var bench = EngineBench(try quietPlan(), start: night)
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        bench.away(2)
        bench.run(for: .seconds(600))
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .clear(awaitsEffect: false)))
        bench.run(for: .seconds(60))
        #expect(bench.takeKinds() == ["0s ops firing", "10m30s ops resolved"])
        bench.run(for: hour * 7)
        #expect(bench.takeKinds() == ["7h ops firing"])
        bench = EngineBench(try quietPlan { $0.isQuietForCritical = true }, start: night)
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        bench.run(for: minute * 30)
        #expect(bench.takeArrivals() == [])
    }

    @Test("quiet hours are those of the channel's zone, also where clocks are put back")
    func zones() throws {
        let zone = try #require(DeviceTimeZone(identifier: "Australia/Lord_Howe"))
        // 2026-04-05: the clocks go back by half an hour at 02:00. Quiet ends at 06:00 wall time, which is 19:30 UTC.
        var bench = EngineBench(
            try quietPlan { $0.zone = zone }, start: try #require(Instant(rfc3339: "2026-04-04T12:00:00Z")))
        bench.away(1)
        bench.run(for: hour * 9)
        #expect(bench.takeKinds() == ["7h30m ops firing"])
    }

    @Test("a bucket of messages that fills again; what has no room goes in one digest")
    func rate() throws {
        var channel = ChannelPlan(name: "ops")
        channel.burst = 2
        channel.rate = try #require(Rate(6, per: .hour))
        var plan = EngineBench.plan(devices: 6, channels: [channel])
        for number in 1...6 { plan.devices["gate-\(number)"]?.site = "S\(number)" }
        plan.rules[.deviceOffline]?.criticalAfter = nil
        var bench = EngineBench(plan)
        for number in 1...6 {
            bench.away(number)
            bench.run(for: .seconds(10))
        }
        bench.run(for: hour)
        #expect(bench.takeKinds() == ["5m30s ops firing", "5m40s ops firing", "15m30s ops digest"])
        #expect(bench.messages.last?.message.title == "4 incidents since the last message, 4 of them still open")
    }

    @Test("one failure is tried again; it was no failing channel")
    func oneFailure() {
        var bench = EngineBench(EngineBench.plan())
        bench.faults["ops"] = ChannelFault(.transient, "no connection")
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        bench.faults = [:]
        bench.run(for: .seconds(60))
        #expect(bench.takeKinds() == ["30s ops firing"])
        #expect(bench.engine.state.channels["ops"]?.failures == 0)
        #expect(bench.engine.state.incidents.count == 1)
    }

    @Test("two failures: the fallback gets it, the others hear of the failing channel, the end goes to who was told")
    func fallback() throws {
        var mail = ChannelPlan(name: "mail")
        mail.fallback = "chat"
        var bench = EngineBench(
            EngineBench.plan(channels: [mail, ChannelPlan(name: "chat"), ChannelPlan(name: "boss")]))
        bench.engine.plan.steps = [EscalationStep(after: .zero, channels: ["mail", "boss"], severity: .info)]
        bench.faults["mail"] = ChannelFault(.transient, "no route")
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        #expect(bench.takeKinds() == ["0s boss firing"])
        bench.run(for: .seconds(31))
        #expect(bench.takeKinds() == ["30s chat firing"])
        bench.run(for: .seconds(60))
        #expect(
            bench.takeArrivals() == [
                .init(minute, "boss", .firing, "WARNING: the channel mail does not deliver messages")
            ])
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .clear(awaitsEffect: false)))
        bench.run(for: .seconds(31))
        #expect(
            Set(bench.takeArrivals().map { "\($0.channel) \($0.kind.rawValue)" }) == ["boss resolved", "chat resolved"])
        bench.faults = [:]
        bench.run(for: hour)
        #expect(
            bench.takeArrivals().map { "\($0.channel) \($0.kind.rawValue)" } == ["mail test", "boss resolved"])
        #expect(bench.messages.contains { $0.message.text.contains("1 message went through chat instead") })
        #expect(bench.engine.state.incidents.isEmpty)
    }

    @Test("a permanent fault is a failing channel at once; without a fallback everything waits for a digest")
    func noFallback() {
        var bench = EngineBench(EngineBench.plan(channels: [ChannelPlan(name: "mail"), ChannelPlan(name: "chat")]))
        bench.faults["mail"] = ChannelFault(.permanent, "wrong password")
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        bench.run(for: .seconds(31))
        #expect(
            bench.takeArrivals().map(\.title) == [
                "CRITICAL: Gate 1 (North) refuses our key", "WARNING: the channel mail does not deliver messages",
            ])
        #expect(bench.messages.last?.message.text.contains("wrong password") == true)
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .clear(awaitsEffect: false)))
        bench.run(for: minute * 10)
        #expect(bench.takeArrivals().map { "\($0.channel) \($0.kind.rawValue)" } == ["chat resolved"])
        bench.faults = [:]
        bench.run(for: minute * 20)
        #expect(
            bench.takeArrivals().map { "\($0.channel) \($0.kind.rawValue)" } == ["mail digest", "chat resolved"])
    }

    @Test("what a target asks for is respected")
    func retryAfter() {
        var bench = EngineBench(EngineBench.plan())
        bench.faults["ops"] = ChannelFault(.transient, "busy", retryAfter: .seconds(500))
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        bench.faults = [:]
        bench.run(for: hour / 2)
        #expect(bench.takeKinds() == ["8m20s ops firing"])
    }

    @Test("a queue has an end: the oldest goes, and is counted")
    func bound() {
        var plan = EngineBench.plan(devices: 230)
        for number in 1...230 { plan.devices["gate-\(number)"]?.site = "S\(number)" }
        var bench = EngineBench(plan)
        bench.faults["ops"] = ChannelFault(.transient, "down")
        for number in 1...230 { bench.signal(AlertSignal(.deviceAuth, .device("gate-\(number)"), .active(nil))) }
        bench.run(for: minute)
        #expect(bench.engine.state.channels["ops"]?.waitingCount == ChannelRecord.capacity)
        bench.faults = [:]
        bench.run(for: minute * 20)
        let digest = bench.messages.first { $0.message.kind == .digest }
        #expect(digest?.message.text.contains("and 30 messages before these") == true)
    }

    @Test("later messages of an incident know the earlier ones")
    func threads() {
        var bench = EngineBench(EngineBench.plan())
        bench.signal(AlertSignal(.deviceAuth, .device("gate-1"), .active(nil)))
        bench.run(for: hour * 5)
        #expect(bench.messages.map(\.earlier) == [[], ["host.1.1"], ["host.1.1", "host.1.2"]])
        #expect(bench.messages.map(\.reference) == [nil, "r1", "r1"])
        #expect(bench.messages.map(\.message.thread) == ["host.1", "host.1", "host.1"])
    }
}

@Suite("What a restart and a clock that is set must not change")
struct EnduranceTests {
    @Test("a restart neither forgets nor repeats")
    func restart() {
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.run(for: .seconds(200))
        bench.restart(after: .seconds(10))
        bench.run(for: .seconds(200))
        #expect(bench.takeKinds() == ["5m30s ops firing"])
        bench.restart(after: minute * 10)
        // The host tells again what it still sees.
        bench.away(1)
        bench.run(for: minute * 30)
        #expect(bench.takeArrivals() == [])
        bench.restart()
        bench.run(for: minute * 30)
        #expect(bench.takeKinds() == ["1h ops update"])
        #expect(bench.engine.acknowledge(1, by: "ada", at: bench.moment) == true)
        bench.restart()
        bench.run(for: hour * 5)
        #expect(bench.takeArrivals() == [])
        bench.back(1, recovered: 5)
        bench.restart(after: .seconds(5))
        bench.run(for: minute)
        let last = bench.takeArrivals()
        #expect(last.map(\.kind) == [.resolved])
        #expect(last.first?.title.hasSuffix("5 punches recovered") == true)
        #expect(bench.messages.map(\.message.id) == ["host.1.1", "host.1.2", "host.1.3"])
        #expect(bench.messages.last?.earlier == ["host.1.1", "host.1.2"])
    }

    @Test("a message that was on its way when the process ended comes again with the same id")
    func interrupted() {
        var bench = EngineBench(EngineBench.plan())
        bench.engine.take([AlertSignal(.deviceAuth, .device("gate-1"), .active(nil))], at: bench.moment)
        let first = bench.engine.step(at: bench.moment)
        #expect(first.count == 1)
        bench.restart()
        #expect(bench.messages.map(\.message.id) == first.map(\.message.id))
    }

    @Test(
        "setting the clock neither fires nor delays anything",
        arguments: [hour, .zero - hour, hour * 24, .zero - hour * 24])
    func clockSteps(_ jump: Duration) {
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.run(for: .seconds(100))
        bench.jump(by: jump)
        bench.run(for: .seconds(229))
        #expect(bench.takeArrivals() == [])
        bench.run(for: .seconds(1))
        #expect(bench.takeKinds() == ["5m30s ops firing"])
        bench.jump(by: .zero - jump)
        bench.run(for: .seconds(3_200))
        #expect(bench.takeArrivals() == [])
        bench.run(for: .seconds(100))
        #expect(bench.takeKinds() == ["1h ops update"])
    }

    @Test("rows are written for what changed only, and a row that cannot be read loses itself alone")
    func rows() {
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.signal(AlertSignal(.deviceAuth, .device("gate-2"), .active(nil)))
        let before = bench.engine.state
        bench.signal(AlertSignal(.clockDrift, .device("gate-3"), .measured(40)))
        let changes = AlertStore.changes(from: before, to: bench.engine.state)
        #expect(changes.written.map(\.key.name) == ["engine", "clock.drift device gate-3", "000000000002"])
        #expect(changes.removed == [])
        var rows = AlertStore.rows(bench.engine.state)
        #expect(AlertStore.state(rows, newHost: "x") == bench.engine.state)
        rows = rows.map { $0.key.kind == "channel" ? AlertRow(key: $0.key, text: "{\"queue\": 7") : $0 }
        var partial = bench.engine.state
        partial.channels = [:]
        #expect(AlertStore.state(rows, newHost: "x") == partial)
    }

    @Test(
        "a month of random trouble: every firing message is followed by its end, and nobody else hears of it",
        arguments: 0..<6 as Range<UInt64>)
    func soak(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var chat = ChannelPlan(name: "chat")
        chat.rate = .perMinute(60)
        chat.burst = 1_000
        var plan = EngineBench.plan(devices: 30, channels: [chat])
        for number in 1...30 { plan.devices["gate-\(number)"]?.site = "S\(number % 3)" }
        plan.flapping.changes = 8
        var bench = EngineBench(plan)
        for _ in 0..<150 {
            let number = Int.random(in: 1...30, using: &random)
            let subject = AlertSubject.device("gate-\(number)")
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2: bench.away(number)
            case 3...4: bench.back(number, recovered: Int.random(in: 0...9, using: &random))
            case 5:
                bench.signal(AlertSignal(.clockDrift, subject, .measured(Double.random(in: 0...200, using: &random))))
            case 6: bench.jump(by: .seconds(Int.random(in: -90_000...90_000, using: &random)))
            default: bench.restart(after: .seconds(Int.random(in: 0...600, using: &random)))
            }
            bench.run(for: .seconds(Int.random(in: 0...7_200, using: &random)))
        }
        for number in 1...30 {
            bench.back(number)
            bench.signal(AlertSignal(.clockDrift, .device("gate-\(number)"), .measured(0)))
        }
        bench.run(for: hour * 24)
        #expect(bench.engine.state.incidents.isEmpty, "seed \(seed)")
        #expect(bench.engine.state.alerts.isEmpty, "seed \(seed)")
        let threads = Dictionary(grouping: bench.messages.map(\.message).filter { $0.kind != .digest }, by: \.thread)
        for (thread, messages) in threads {
            #expect(messages.first?.kind == .firing, "seed \(seed) \(thread)")
            #expect(messages.last?.kind == .resolved, "seed \(seed) \(thread)")
            #expect(messages.filter { $0.kind == .resolved }.count == 1, "seed \(seed) \(thread)")
            #expect(messages.filter { $0.kind == .firing }.count == 1, "seed \(seed) \(thread)")
        }
        #expect(Set(bench.messages.map(\.message.id)).count == bench.messages.count, "seed \(seed)")
        #expect(bench.ended.count == threads.count, "seed \(seed)")
    }
}

@Suite("Hours of the week")
struct HoursOfWeekTests {
    @Test(
        "what they hold",
        arguments: [
            ("22:00-06:00", "2026-01-05 23:00", true), ("22:00-06:00", "2026-01-05 05:59", true),
            ("22:00-06:00", "2026-01-05 06:00", false), ("22:00-06:00", "2026-01-05 21:59", false),
            ("mon-fri 07:00-19:00", "2026-01-05 07:00", true), ("mon-fri 07:00-19:00", "2026-01-04 08:00", false),
            ("sat,sun 08:00-12:00", "2026-01-04 08:00", true), ("fri-mon 22:00-06:00", "2026-01-06 05:00", true),
            ("fri-mon 22:00-06:00", "2026-01-06 23:00", false), ("00:00-24:00", "2026-01-06 23:59", true),
        ])
    func holds(_ text: String, _ moment: String, _ expected: Bool) throws {
        let hours = try #require(HoursOfWeek(text))
        #expect(hours.contains(try #require(LocalDateTime(moment))) == expected)
        #expect(hours.description == text)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "22:00", "22-06", "24:00-06:00", "22:00-22:00", "mon", "mo 08:00-09:00", "mon- 08:00-09:00",
            "8:00-9:00",
            "08:00-25:00", "mon 08:00-09:00 x", "mon,, 08:00-09:00", "08:60-09:00", "-", "08:00-09:00-10:00",
        ])
    func refused(_ text: String) { #expect(HoursOfWeek(text) == nil) }
}
