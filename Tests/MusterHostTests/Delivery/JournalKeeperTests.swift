import DeviceKit
import DeviceKitTesting
import Journal
import Logging
import Testing

@testable import MusterHost

@Suite("What the journal keeps")
struct JournalKeeperTests {
    private let bench: DeliveryBench

    init() throws { bench = try DeliveryBench() }

    private func keeper(_ journal: HostConfiguration.Journal, sinks: [String] = ["audit"]) async throws -> JournalKeeper
    {
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let services = try await HostServices(
            journal: bench.journal,
            drivers: DriverServices(
                time: bench.time, random: SeededRandom(seed: 1), dialer: ScriptedDialer(), log: log),
            onFatal: { Issue.record("the journal failed: \($0)") })
        let registration = DriverRegistration(ScriptedDriver.self)
        let devices = try [bench.lobby, bench.gate].map { device in
            HostConfiguration.Device(
                id: device, name: device.name, location: nil, zone: .utc, driver: registration,
                settings: try ScriptedDriver.Settings.schema.values(["device": "x"]),
                schedule: .init(poll: PollSchedule(try CronSchedule("0 0 * * *")), window: .all, isCapturing: true),
                lifecycle: LifecycleTimers(), sinks: device == bench.lobby ? sinks : [], isEnabled: true)
        }
        let sink = SinkRegistration(RecordingSink.self)
        return JournalKeeper(
            live: LiveConfiguration(
                HostConfiguration(
                    dataDirectory: bench.path, baseDirectory: bench.path,
                    http: .init(listen: try #require(ListenAddress("127.0.0.1:8080"))), journal: journal,
                    sinks: try sinks.map {
                        .init(name: $0, registration: sink, settings: try RecordingSink.Settings.schema.values())
                    },
                    devices: devices, files: [])), services: services)
    }

    /// A day more than the age of the punches.
    private var keep: Duration { bench.time.now() - Instant(secondsSince1970: 1_750_000_500) + .seconds(86_400) }

    @Test("forgets what is old and delivered, and nothing else")
    func keep() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<10)
        try await bench.commit(bench.gate, seconds: 0..<5)
        try await bench.journal.saveDelivery(
            SinkDelivery(
                position: 6, lanes: [bench.lobby: .following], delivered: 5, rejected: [.init(position: 3, reason: "?")]
            ),
            sink: "audit", at: bench.time.now())
        let keeper = try await keeper(.init(keep: keep))
        try await keeper.forgetOld()
        #expect(try await bench.journal.reader.count() == 15)
        bench.time.advance(by: .seconds(2 * 86_400))
        try await keeper.forgetOld()
        // Left: the dead letter and what the sink has not got; the gate has no sink.
        let left = try await bench.journal.reader.punches(limit: 100).map(\.position)
        #expect(left == [3, 7, 8, 9, 10])
    }

    @Test("a clock that was wrong for a while does not keep the journal from forgetting")
    func wrongClock() async throws {
        func commit(_ seconds: Range<Int64>, at receivedAt: Instant) async throws {
            let punches = seconds.map { second in
                var punch = deliveryPunch(bench.gate, second: second)
                punch.receivedAt = receivedAt
                return punch
            }
            _ = try await bench.journal.commit(
                JournalEntry(device: bench.gate, punches: punches, receivedAt: receivedAt))
        }
        try await commit(0..<5, at: Instant(secondsSince1970: 4_000_000_000))
        for start in stride(from: Int64(10), to: 3_010, by: 1_000) {
            try await commit(start..<start + 1_000, at: Instant(secondsSince1970: 1_750_000_500))
        }
        let keeper = try await keeper(.init(keep: keep))
        bench.time.advance(by: .seconds(2 * 86_400))
        try await keeper.forgetOld()
        #expect(try await bench.journal.reader.count() == 5)
    }

    @Test("what was forgotten does not come back when the device sends it again")
    func forgotten() async throws {
        try await bench.commit(bench.gate, seconds: 0..<5)
        let keeper = try await keeper(.init(keep: keep))
        bench.time.advance(by: .seconds(2 * 86_400))
        try await keeper.forgetOld()
        #expect(try await bench.journal.reader.count() == 0)
        try await bench.commit(bench.gate, seconds: 0..<6)
        #expect(try await bench.journal.reader.count() == 1)
        let counters = try #require(try await bench.journal.reader.statuses()[bench.gate]?.counters)
        #expect(counters.received == 11 && counters.journaled == 6 && counters.duplicates == 5)
    }

    @Test(
        "levels of the quota",
        arguments: [
            (0, QuotaLevel.normal), (79, .normal), (80, .high), (94, .high), (95, .full), (300, .full),
        ])
    func levels(_ used: Int, _ expected: QuotaLevel) {
        #expect(QuotaGauge.level(used: used, quota: 100) == expected)
    }

    @Test("a full quota holds punches back until there is room")
    func full() async throws {
        let used = try await bench.journal.usedByteCount()
        let keeper = try await keeper(.init(quota: ByteCount(used)))
        try await keeper.watchQuota()
        #expect(keeper.services.gauge.level == .full)
        let entry = JournalEntry(
            device: bench.lobby, punches: [deliveryPunch(bench.lobby, second: 1)], receivedAt: bench.time.now())
        let writer = keeper.services.writer
        async let commit = writer.commit(entry)
        await bench.time.waitForSleepers(1)
        #expect(try await bench.journal.reader.count() == 0)
        keeper.services.gauge.set(.normal)
        await bench.time.advanceToNextWake()
        #expect(try await commit.get().journaled == 1)
    }

    @Test("makes room from what is delivered, when it may")
    func makeRoom() async throws {
        for start in stride(from: Int64(0), to: 20_000, by: 1_000) {
            try await bench.commit(bench.gate, seconds: start..<start + 1_000)
        }
        let used = try await bench.journal.usedByteCount()
        let keeper = try await keeper(.init(quota: ByteCount(used * 10 / 9), whenFull: .forgetDelivered))
        try await keeper.watchQuota()
        #expect(keeper.services.gauge.level == .normal)
        let left = try await bench.journal.reader.count()
        #expect(left > 5_000 && left < 20_000)
        #expect(try await bench.journal.reader.punches(limit: 1).first?.position == Int64(20_000 - left + 1))
    }

    @Test("never forgets what a sink has not got, unless it is told to", arguments: [false, true])
    func undelivered(_ mayForget: Bool) async throws {
        for start in stride(from: Int64(0), to: 5_000, by: 1_000) {
            try await bench.commit(bench.lobby, seconds: start..<start + 1_000)
        }
        let used = try await bench.journal.usedByteCount()
        let keeper = try await keeper(
            .init(quota: ByteCount(used), whenFull: mayForget ? .forgetOldest : .forgetDelivered))
        let told = JournalLosses()
        keeper.services.events.add(told)
        try await keeper.watchQuota()
        #expect(keeper.services.gauge.level == (mayForget ? .normal : .full))
        let left = try await bench.journal.reader.count()
        #expect((left < 5_000) == mayForget)
        // What was given up is told, to the punch: alerts make ``AlertRule/journalLoss`` of it.
        #expect(told.lost == (mayForget ? [5_000 - left] : []))
    }
}
