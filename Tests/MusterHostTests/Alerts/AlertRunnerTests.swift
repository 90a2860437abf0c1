import Alerts
import DeviceKit
import DeviceKitTesting
import Journal
import Logging
import Synchronization
import Testing

@testable import MusterHost

/// A channel that keeps what it got, under the name of its box.
struct PostboxChannel: AlertChannel {
    struct Settings: ChannelSettings {
        static let box = Setting.string("box", "Where messages go.")
        static let schema = SettingsSchema(box)
        let box: String

        init(_ values: SettingsValues) throws(ConfigurationError) { box = try values.value(Self.box) }
    }

    static let manifest = ChannelManifest(id: "postbox", summary: "Keeps what it got.")
    private static let boxes = Mutex<[String: [AlertSend]]>([:])

    static func sends(to box: String) -> [AlertSend] { boxes.withLock { $0[box] ?? [] } }
    static func titles(in box: String) -> [String] { sends(to: box).map(\.message.title) }

    private let box: String

    init(settings: Settings, context: ChannelContext) throws(ChannelFault) {
        guard settings.box != "impossible" else { throw ChannelFault(.permanent, "there is no such box") }
        box = settings.box
    }

    func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt {
        Self.boxes.withLock { $0[box, default: []].append(outgoing) }
        return ChannelReceipt()
    }

    func close() async {}
}

@Suite("The alerts of a running host", .timeLimit(.minutes(1)))
struct AlertRunnerTests {
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

    private func configuration(_ box: String, wait: String = "20s") throws -> HostConfiguration {
        let text = """
            timezone: UTC
            devices: {lobby: {driver: simulator, name: Lobby, location: Hall}}
            alerts:
              group_wait: \(wait)
              rules: {device.offline: {for: 10s, critical_after: 300d, repeat: []}}
              channels: {post: {type: postbox, box: \(box)}}
            """
        let loading = ConfigurationLoader(
            drivers: testDrivers, sinks: testSinks,
            channels: ChannelRegistry([ChannelRegistration(PostboxChannel.self)]),
            environment: [:], files: MemoryFiles(["office.yaml": text])
        ).load("office.yaml")
        return try #require(loading.configuration, "\(loading.report.text)")
    }

    private func send(_ event: DeviceEvent) { services.events.send(.device(bench.lobby, event)) }

    /// What sleeps in a runner that has nothing to do: the look around, the engine's next deadline, the dead-man's switch.
    private static let idleSleepers = 3

    /// Lets time pass until something holds, or until the test has run out of its own. No time passes while the runner works,
    /// which takes as long as the journal does.
    private func pass(until isTrue: () -> Bool) async {
        while !isTrue(), !Task.isCancelled {
            await bench.time.waitForSleepers(Self.idleSleepers)
            await bench.time.advanceToNextWake()
            await Task.yield()
        }
    }

    /// Lets a while pass.
    private func pass(_ duration: Duration) async {
        let end = bench.time.uptime() + duration
        await pass { bench.time.uptime() >= end }
    }

    private func with<Value>(
        _ configuration: HostConfiguration, _ body: (AlertRunner) async throws -> Value
    ) async throws -> Value {
        let runner = try await AlertRunner(configuration, services: services)
        let running = Task { try await runner.run() }
        let value = try await body(runner)
        runner.stop()
        try await running.value
        return value
    }

    @Test("what was told before a restart is not told again, and its end is")
    func restart() async throws {
        let box = "restart"
        let configuration = try configuration(box)
        try await with(configuration) { _ in
            send(.wentAway(DeviceFault(.unreachable, "no route")))
            await pass { !PostboxChannel.sends(to: box).isEmpty }
            await pass(.seconds(120))
        }
        #expect(PostboxChannel.titles(in: box) == ["WARNING: Lobby (Hall) cannot be reached"])
        #expect(try await AlertArchive(services.journal.reader, history: 10).open.map(\.receivers) == [["post"]])
        try await with(configuration) { _ in
            await pass(.seconds(300))
            #expect(PostboxChannel.sends(to: box).count == 1)
            send(.connected)
            var summary = PollSummary()
            summary.journaled = 12
            send(.polled(summary, took: .zero))
            await pass { PostboxChannel.sends(to: box).count == 2 }
        }
        let last = try #require(PostboxChannel.sends(to: box).last)
        #expect(last.message.kind == .resolved)
        #expect(last.message.recovered == 12)
        #expect(last.earlier == [PostboxChannel.sends(to: box)[0].message.id])
        let archive = try await AlertArchive(services.journal.reader, history: 10)
        #expect(archive.open.isEmpty)
        #expect(archive.ended.map(\.recovered) == [12])
        #expect(archive.channels["post"]?.sentCount == 2)
    }

    @Test("what came in right before a stop is told after the next start")
    func lastLook() async throws {
        let box = "last"
        let configuration = try configuration(box)
        try await with(configuration) { _ in
            await pass(.seconds(60))
            // The clock stands still from here on: there is no other look.
            let seconds = -Int64(1_000_000_000)
            try await bench.commit(bench.lobby, seconds: seconds..<seconds + 1, isValid: false)
        }
        #expect(PostboxChannel.sends(to: box).isEmpty)
        try await with(configuration) { _ in
            await pass { !PostboxChannel.sends(to: box).isEmpty }
            await pass(.seconds(120))
        }
        #expect(PostboxChannel.titles(in: box) == ["CRITICAL: Lobby (Hall) sends punches with an impossible time"])
    }

    @Test("a reload changes where messages go, and refuses a channel that cannot be made")
    func reload() async throws {
        let (before, after) = (try configuration("before"), try configuration("after", wait: "5s"))
        try await with(before) { runner in
            let impossible = try configuration("impossible")
            #expect(throws: ReloadRefusals.self) {
                _ = try runner.prepare(impossible, ConfigurationChange(from: before, to: impossible))
            }
            let change = ConfigurationChange(from: before, to: after)
            #expect(change.adjusted == ["alerts"])
            let apply = try runner.prepare(after, change)
            await apply()
            send(.wentAway(DeviceFault(.unreachable, "no route")))
            await pass { !PostboxChannel.sends(to: "after").isEmpty }
        }
        #expect(PostboxChannel.sends(to: "before").isEmpty)
    }

    @Test("orders reach the engine and the journal")
    func orders() async throws {
        let box = "orders"
        try await with(try configuration(box)) { runner in
            #expect(
                await runner.carryOut(.acknowledge(1, by: "ada"))
                    == .failure(.init(message: "there is no open incident 1")))
            let silence = await runner.carryOut(
                .silence(nil, .site("Hall"), for: .seconds(600), by: "ada", why: "works"))
            #expect(silence == .success(1))
            send(.wentAway(DeviceFault(.unreachable, "no route")))
            await pass(.seconds(300))
            #expect(PostboxChannel.sends(to: box).isEmpty)
            await pass { !PostboxChannel.sends(to: box).isEmpty }
            #expect(await runner.carryOut(.acknowledge(2, by: "ada")) == .success(2))
        }
        let open = try await AlertArchive(services.journal.reader, history: 1).open
        #expect(open.map(\.acknowledgement?.by) == ["ada"])
    }
}
