import Alerts
import DeviceKit
import DeviceKitTesting
import Logging
import Synchronization
import Testing

@testable import Journal
@testable import MusterHost

/// What a journal was told to give up.
final class JournalLosses: HostObserver {
    private let counts = Mutex<[Int]>([])

    var lost: [Int] { counts.withLock { $0 } }

    func observe(_ event: HostEvent, at instant: Instant) {
        if case .journal(.forgotUndelivered(let count)) = event { counts.withLock { $0.append(count) } }
    }
}

@Suite("What alerts look at")
struct AlertWatchTests {
    private let bench: DeliveryBench
    private let services: HostServices

    init() async throws {
        let bench = try DeliveryBench()
        self.bench = bench
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        services = try await HostServices(
            journal: bench.journal,
            drivers: DriverServices(
                time: bench.time, random: SeededRandom(seed: 1), dialer: ScriptedDialer(), log: log),
            onFatal: { Issue.record("the journal failed: \($0)") })
    }

    private func configuration(_ more: String = "", quota: Int? = nil) throws -> HostConfiguration {
        let text = "timezone: UTC\ndevices: {lobby: {driver: simulator}, gate: {driver: simulator}}\n\(more)"
        var configuration = try #require(load(text).configuration)
        configuration.journal.quota = quota.map { ByteCount($0) }
        return configuration
    }

    private func signals(_ rule: AlertRule, in signals: [AlertSignal]) -> [AlertSignal] {
        signals.filter { $0.key.rule == rule }
    }

    // MARK: The disk

    @Test(
        "the disk is counted as df counts it",
        arguments: [
            // Blocks in all, free, and free for others than the superuser.
            (1_000, 1_000, 1_000, 0), (1_000, 100, 100, 90), (1_000, 30, 30, 97), (1_000, 0, 0, 100),
            // A twentieth is kept for the superuser: 900 of 950 are used, then all.
            (1_000, 100, 50, 900.0 / 950 * 100), (1_000, 50, 0, 100),
            // Nothing can be said of file systems without a size, or that are all reserved.
            (0, 0, 0, nil), (1_000, 1_000, 0, nil),
            // A file system may claim anything.
            (10, 20, 20, 0), (.max, 0, .max, 50), (.max, .max, .max, 0),
        ] as [(UInt64, UInt64, UInt64, Double?)])
    func used(_ blocks: UInt64, _ free: UInt64, _ available: UInt64, _ percent: Double?) {
        let figures = DiskFigures(blocks: blocks, freeBlocks: free, availableBlocks: available, blockByteCount: 4_096)
        #expect(figures.usedPercent == percent)
    }

    @Test(
        "room is told in figures that do not change all the time",
        arguments: [
            (0, "0.0 GB are"), (49_999_999, "0.0 GB are"), (50_000_000, "0.1 GB are"), (1_000_000_000, "1.0 GB are"),
            (9_949_999_999, "9.9 GB are"), (9_950_000_000, "10 GB are"), (10_499_999_999, "10 GB are"),
            (1_234_500_000_000, "1235 GB are"),
        ] as [(UInt64, String)])
    func sentence(_ bytes: UInt64, _ beginning: String) {
        let figures = DiskFigures(blocks: bytes, freeBlocks: bytes, availableBlocks: bytes, blockByteCount: 1)
        #expect(figures.sentence == "\(beginning) free where the journal is")
        let absurd = DiskFigures(blocks: .max, freeBlocks: .max, availableBlocks: .max, blockByteCount: .max)
        #expect(absurd.sentence.hasSuffix(" GB are free where the journal is"))
    }

    @Test("the system is asked about the directory of the journal")
    func system() throws {
        let figures = try #require(DiskFigures.of(bench.path))
        #expect(figures.blocks >= figures.freeBlocks && figures.freeBlocks >= figures.availableBlocks)
        #expect((0...100).contains(try #require(figures.usedPercent)))
        #expect(DiskFigures.of("/nowhere/at/all") == nil)
    }

    @Test("a look measures the disk, until the journal itself finds no room")
    func disk() async throws {
        let asked = Mutex<[String]>([])
        let configuration = try configuration()
        var watch = try await AlertWatch(configuration, services) { directory in
            asked.withLock { $0.append(directory) }
            return DiskFigures(blocks: 1_000, freeBlocks: 80, availableBlocks: 80, blockByteCount: 50_000_000)
        }
        let well = AlertSignal(.hostDisk, .host, .measured(92), "4.0 GB are free where the journal is")
        #expect(signals(.hostDisk, in: await watch.look()) == [well])
        #expect(asked.withLock { $0 } == [configuration.dataDirectory])

        // A limit that the figures do not show: what the journal has told is not ended by them.
        try bench.journal.limitPageCount(1)
        let entry = JournalEntry(
            device: bench.lobby, punches: (0..<5_000).map { deliveryPunch(bench.lobby, second: $0) },
            receivedAt: bench.time.now())
        let writer = services.writer
        async let commit = writer.commit(entry)
        await bench.time.waitForSleepers(1)
        #expect(signals(.hostDisk, in: await watch.look()) == [])
        try bench.journal.limitPageCount(1_000_000)
        await bench.time.advanceToNextWake()
        #expect(try await commit.get().journaled == 5_000)
        #expect(signals(.hostDisk, in: await watch.look()) == [well])
    }

    @Test("a disk of which nothing is known is no alert")
    func unknownDisk() async throws {
        var watch = try await AlertWatch(try configuration(), services) { _ in nil }
        #expect(signals(.hostDisk, in: await watch.look()) == [])
    }

    // MARK: The journal

    @Test("the quota is measured in percent, and ends with the quota")
    func quota() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<100)
        let used = try await bench.journal.usedByteCount()
        var watch = try await AlertWatch(try configuration(quota: used * 5 / 4), services)
        #expect(
            signals(.journalQuota, in: await watch.look())
                == [AlertSignal(.journalQuota, .host, .measured(80), "the journal takes 80 % of its quota")])
        watch.follow(try configuration(quota: used))
        #expect(
            signals(.journalQuota, in: await watch.look())
                == [AlertSignal(.journalQuota, .host, .measured(100), "the journal takes 100 % of its quota")])
        watch.follow(try configuration())
        #expect(
            signals(.journalQuota, in: await watch.look()) == [AlertSignal(.journalQuota, .host, .measured(0))])
    }

    @Test("punches that were given up are told in their number", arguments: [1, 7])
    func loss(_ count: Int) throws {
        let translation = HostSignals(try configuration())
        let event = HostEvent.journal(.forgotUndelivered(count))
        #expect(HostSignals.isWanted(event))
        #expect(
            translation.signals(event, at: bench.time.now()) == [
                AlertSignal(
                    .journalLoss, .host, .happened(lasting: .seconds(6 * 3_600)),
                    count == 1 ? "1 punch was given up" : "7 punches were given up")
            ])
    }

    @Test("a full disk is critical at once, and ends when there is room")
    func fullDisk() throws {
        let translation = HostSignals(try configuration())
        let now = bench.time.now()
        #expect(
            translation.signals(.journal(.diskFull("no space left")), at: now)
                == [AlertSignal(.hostDisk, .host, .active(.critical), "no space left")])
        #expect(
            translation.signals(.journal(.hasRoom), at: now)
                == [AlertSignal(.hostDisk, .host, .clear(awaitsEffect: false))])
    }

    // MARK: Impossible times

    private func commit(_ device: DeviceID, _ localTime: String, source: Punch.Source = .poll) async throws {
        let record = PunchRecord(
            code: "7", localTime: try #require(LocalDateTime(localTime)), direction: Direction(.in, raw: 0),
            verification: Verification(.card, raw: 4))
        var intake = Intake(device: device, zone: .utc, source: source)
        let punch = intake.punch(record, receivedAt: bench.time.now())
        _ = try await bench.journal.commit(
            JournalEntry(device: device, punches: [punch], receivedAt: bench.time.now()))
    }

    private func jump(_ device: DeviceID, _ detail: String) -> AlertSignal {
        AlertSignal(.clockJump, .device(device.name), .happened(lasting: .seconds(6 * 3_600)), detail)
    }

    @Test("a punch with an impossible time is told of once, with its time and the reason")
    func impossible() async throws {
        try await commit(bench.lobby, "1999-12-31 23:59:59")
        var watch = try await AlertWatch(try configuration(), services)
        // What was there before was told by an earlier life of the host.
        #expect(signals(.clockJump, in: await watch.look()) == [])
        try await commit(bench.lobby, "2000-01-01 00:00:00")
        try await commit(bench.lobby, "2026-01-06 08:00:00")
        try await commit(bench.gate, "1980-01-01 00:00:00", source: .import)
        #expect(signals(.clockJump, in: await watch.look()) == [])
        try await commit(bench.lobby, "1999-12-31 23:59:58")
        try await commit(bench.lobby, "1999-12-31 23:59:57")
        try await commit(bench.gate, "2026-01-06 08:00:01")
        let found = signals(.clockJump, in: await watch.look()).sorted { $0.key < $1.key }
        #expect(
            found == [
                jump(
                    bench.gate, "2026-01-06 08:00:01: the time is more than a day ahead of the host's clock"),
                // Of several the last.
                jump(bench.lobby, "1999-12-31 23:59:57: the time is before 2000: the terminal's clock was not set"),
            ])
        #expect(signals(.clockJump, in: await watch.look()) == [])
    }

    @Test("a reload loses none of them")
    func impossibleAcrossReload() async throws {
        var watch = try await AlertWatch(try configuration(), services)
        // Right after the start, before there was a look.
        try await commit(bench.lobby, "1999-12-31 23:59:59")
        watch.follow(try configuration())
        #expect(signals(.clockJump, in: await watch.look()).map(\.key.subject) == [.device("lobby")])
    }

    // MARK: Silence

    /// Punches of the lobby so long ago.
    private func commit(ago: [Duration]) async throws {
        let now = bench.time.now()
        let punches = ago.enumerated().map { index, ago in
            let instant = now - ago
            let record = PunchRecord(
                code: "\(index)", localTime: DeviceTimeZone.utc.localTime(at: instant),
                direction: Direction(.in, raw: 0), verification: Verification(.card, raw: 4))
            return Punch(
                device: bench.lobby, time: instant, record: record, source: .poll, receivedAt: now, isValid: true)
        }
        _ = try await bench.journal.commit(JournalEntry(device: bench.lobby, punches: punches, receivedAt: now))
    }

    /// So many punches at this hour of this weekday, in each of the last weeks.
    private func history(_ counts: [Int]) async throws {
        for (week, count) in counts.enumerated() {
            let middle = Duration.seconds((week + 1) * 7 * 86_400)
            try await commit(ago: (0..<count).map { middle + .seconds(3_000 - $0 * 60) })
        }
    }

    private func connect() {
        var report = DeviceReport(device: bench.lobby, name: "Lobby", state: "online")
        report.isConnected = true
        services.board.update(report)
    }

    private func silence() async throws -> [AlertSignal] {
        var watch = try await AlertWatch(try configuration(), services)
        return signals(.deviceSilent, in: await watch.look())
    }

    @Test(
        "the gap is told in multiples of the usual one, which is the median of the weeks",
        arguments: [
            // Eight in two hours are one in 15 min. Two hours are eight times that.
            ([8, 8, 8, 8], 7_200, 8.0), ([8, 8, 8, 8], 7_199, 7_199.0 / 900), ([8, 8, 8, 8], 1_800, 2),
            // Less than half an hour means nothing.
            ([40, 40, 40, 40], 1_799, 0), ([40, 40, 40, 40], 1_800, 10),
            // Weeks with fewer than four punches are none; three others are needed.
            ([8, 3, 8, 8], 7_200, 8), ([8, 3, 3, 8], 7_200, 0), ([4, 4, 4, 4], 7_200, 4),
            // Of an even number the upper middle.
            ([4, 6, 12, 40], 7_200, 12),
        ] as [([Int], Int, Double)])
    func gap(_ counts: [Int], _ seconds: Int, _ factor: Double) async throws {
        connect()
        try await history(counts)
        try await commit(ago: [.seconds(seconds)])
        let signal = try #require(try await silence().first)
        #expect(signal.state == .measured(factor))
        #expect(signal.key.subject == .device("lobby"))
        let shown = DeviceTimeZone.utc.localTime(at: bench.time.now() - .seconds(seconds))
        #expect(signal.detail == (seconds < 1_800 ? "" : "the last punch was at \(shown)"))
    }

    @Test("without a punch for a day the gap is a day")
    func day() async throws {
        connect()
        try await history([8, 8, 8, 8])
        #expect(
            try await silence()
                == [AlertSignal(.deviceSilent, .device("lobby"), .measured(96), "no punch for a day")])
    }

    @Test("nothing is said of a device that is away, by a rule that is off, or between two looks")
    func notAsked() async throws {
        try await history([8, 8, 8, 8])
        #expect(try await silence() == [])
        connect()
        var off = try await AlertWatch(
            try configuration("alerts: {rules: {device.silent: {enabled: false}}}"), services)
        #expect(signals(.deviceSilent, in: await off.look()) == [])
        var watch = try await AlertWatch(try configuration(), services)
        #expect(signals(.deviceSilent, in: await watch.look()).count == 1)
        bench.time.advance(by: .seconds(299))
        #expect(signals(.deviceSilent, in: await watch.look()) == [])
        bench.time.advance(by: .seconds(1))
        #expect(signals(.deviceSilent, in: await watch.look()).count == 1)
    }
}
