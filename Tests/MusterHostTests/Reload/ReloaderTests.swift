import DeviceKit
import DeviceKitTesting
import Foundation
import Journal
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import MusterHost

/// Texts that change while a test runs.
private final class ChangingFiles: ConfigurationFiles {
    private let texts: Mutex<[String: String]>
    let reads = Mutex(0)

    init(_ texts: [String: String]) { self.texts = Mutex(texts) }

    func set(_ path: String, _ text: String) { texts.withLock { $0[path] = text } }

    func read(_ path: String, limit: Int) throws(FileProblem) -> [UInt8] {
        reads.withLock { $0 += 1 }
        return try MemoryFiles(texts.withLock { $0 }).read(path, limit: limit)
    }

    func matches(_ pattern: String) -> [String] { MemoryFiles(texts.withLock { $0 }).matches(pattern) }
}

@Suite("Reloading the configuration", .timeLimit(.minutes(1)))
final class ReloaderTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)").path
    private let prefix = UUID().uuidString
    private let devices: [String: ScriptedDevice]
    private let files: ChangingFiles
    private let services: HostServices
    private let live: LiveConfiguration
    private let fleet: Fleet
    private let delivery: DeliveryService
    private let reloader: Reloader

    init() async throws {
        let prefix = prefix
        let devices = Dictionary(uniqueKeysWithValues: ["a", "b", "c"].map { ($0, ScriptedDevice()) })
        self.devices = devices
        ScriptedDevice.shared.withLock { all in
            for (name, device) in devices { all[prefix + name] = device }
        }
        files = ChangingFiles(["muster.yaml": Self.text(["a", "b"], prefix: prefix)])
        let loader = ConfigurationLoader(
            drivers: DriverRegistry([DriverRegistration(ScriptedDriver.self)]),
            sinks: SinkRegistry([SinkRegistration(RecordingSink.self), SinkRegistration(RefusingSink.self)]),
            environment: [:], files: files)
        let configuration = try #require(loader.load("muster.yaml").configuration)
        var log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        log.logLevel = .critical
        services = try await HostServices(
            journal: try PunchJournal(DataDirectory(path: path)),
            drivers: DriverServices(
                time: ManualTime(), random: SeededRandom(seed: 1), dialer: ScriptedDialer(), log: log),
            devices: configuration.devices,
            onFatal: { Issue.record("the journal failed: \($0)") })
        live = LiveConfiguration(configuration)
        delivery = try DeliveryService(configuration, services: services)
        fleet = Fleet(configuration.devices, services: services)
        reloader = Reloader(
            live, source: ConfigurationSource("muster.yaml", loader: loader), followers: [delivery, fleet],
            time: services.time, quiet: .zero, log: log)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        ScriptedDevice.shared.withLock { all in
            for name in devices.keys { all[prefix + name] = nil }
        }
    }

    private static func text(
        _ devices: [String], sinks: String = "  audit: {type: recording}\n", prefix: String,
        more: [String: String] = [:]
    ) -> String {
        "data: data\ntimezone: UTC\nsinks:\n\(sinks)defaults: {sinks: [audit]}\ndevices:\n"
            + devices.map { "  \($0): {driver: scripted, settings: {device: \(prefix)\($0)}\(more[$0] ?? "")}\n" }
            .joined()
    }

    private func write(
        _ devices: [String], sinks: String = "  audit: {type: recording}\n", more: [String: String] = [:]
    ) {
        files.set("muster.yaml", Self.text(devices, sinks: sinks, prefix: prefix, more: more))
    }

    /// Runs fleet and sinks around `body`.
    private func running(_ body: () async throws -> Void) async throws {
        let (fleet, delivery) = (fleet, delivery)
        async let fleetEnd: Void = fleet.run()
        let deliveryEnd = Task { try await delivery.run() }
        do {
            try await body()
        } catch {
            Issue.record(error)
        }
        fleet.requestStop()
        await fleetEnd
        deliveryEnd.cancel()
        _ = try? await deliveryEnd.value
    }

    private func waitUntil(_ isTrue: () async throws -> Bool) async throws {
        while !(try await isTrue()) { await Task.yield() }
    }

    private func punch(_ name: String, second: Int64) {
        devices[name]?.record(
            PunchRecord(
                code: "7", localTime: DeviceTimeZone.utc.localTime(at: services.time.now()).advanced(bySeconds: second),
                direction: Direction(.in, raw: 0), verification: Verification(.card, raw: 4)))
    }

    @Test("a device is added, one is removed, and the one in between keeps its session")
    func devicesChange() async throws {
        try await running {
            try await waitUntil { devices["a"]?.opens == 1 && devices["b"]?.opens == 1 }
            write(["b", "c"])
            let report = await reloader.perform(.command)
            #expect(report.outcome == .applied && report.generation == 2)
            #expect(report.devices.map(\.name) == ["c", "a"])
            #expect(report.devices.map(\.result) == ["added", "removed"])
            #expect(report.sinks == [.init(name: "audit", result: "adjusted", detail: "devices")])
            #expect(report.untouchedDevices == 1)
            try await waitUntil { devices["c"]?.opens == 1 && devices["a"]?.closes == 1 }
            #expect(devices["b"]?.opens == 1 && devices["b"]?.closes == 0)
            let gone = try #require(DeviceID("a"))
            try await waitUntil { services.board.reports(of: [gone]).isEmpty }
            #expect(fleet.supervisors.map(\.device.id.name) == ["b", "c"])
        }
    }

    @Test("settings restart a device, once its old session has ended; a name does not")
    func restart() async throws {
        try await running {
            try await waitUntil { devices["a"]?.opens == 1 && devices["b"]?.opens == 1 }
            write(["a", "b"], more: ["a": ", lifecycle: {alert_after: 7}", "b": ", name: Foyer"])
            let report = await reloader.perform(.files)
            #expect(
                report.devices == [
                    .init(name: "a", result: "restarted", detail: "lifecycle"),
                    .init(name: "b", result: "adjusted", detail: "name"),
                ])
            try await waitUntil { devices["a"]?.opens == 2 }
            #expect(devices["a"]?.closes == 1)
            #expect(devices["b"]?.opens == 1 && devices["b"]?.closes == 0)
            let foyer = try #require(DeviceID("b"))
            #expect(services.board.reports(of: [foyer]).map(\.name) == ["Foyer"])
        }
    }

    @Test("a file with an error changes nothing and says where")
    func invalid() async throws {
        try await running {
            try await waitUntil { devices["a"]?.opens == 1 }
            write(["c"], sinks: "  audit: {type: recording, wrong: 1}\n")
            let report = await reloader.perform(.command)
            #expect(report.outcome == .refused && report.generation == 1)
            #expect(report.problems.first?.hasPrefix("muster.yaml:4:28: error:") == true, "\(report.problems)")
            #expect(fleet.supervisors.map(\.device.id.name) == ["a", "b"])
            #expect(live.lastReload == report)
            // Put right, it is no longer refused.
            write(["a", "b"])
            #expect(await reloader.perform(.files).outcome == .unchanged)
            #expect(live.lastReload?.outcome == .unchanged)
            #expect(devices["c"]?.opens == 0)
        }
    }

    @Test("what a driver or a sink refuses is refused whole")
    func refusals() async throws {
        try await running {
            try await waitUntil { devices["a"]?.opens == 1 }
            write(["b", "unknown"], sinks: "  audit: {type: recording}\n  never: {type: refusing}\n")
            let report = await reloader.perform(.command)
            #expect(report.outcome == .refused && report.generation == 1)
            #expect(report.devices.map(\.name) == ["unknown"] && report.sinks.map(\.name) == ["never"])
            #expect(report.problems.prefix(2) == ["sinks.never: it never works", "devices.unknown: no such device"])
            #expect(devices["a"]?.closes == 0)
            #expect(live.configuration.sinks.map(\.name) == ["audit"])
        }
    }

    @Test("a sink that comes gets the whole journal, one that goes stops, and one that comes back goes on")
    func sinks() async throws {
        try await running {
            for second in 0..<5 { punch("a", second: Int64(second) - 100) }
            let reader = services.journal.reader
            func delivered(_ sink: String) async throws -> Int {
                try await reader.sinks().first { $0.name == sink }?.deliveredCount ?? 0
            }
            func sync() async { _ = await fleet.sync(["a"]) }
            await sync()
            try await waitUntil { try await delivered("audit") == 5 }
            write(
                ["a", "b"], sinks: "  log: {type: recording}\n", more: ["a": ", sinks: [log]", "b": ", sinks: [log]"])
            files.set("muster.yaml", try text().replacing("defaults: {sinks: [audit]}\n", with: ""))
            #expect(await reloader.perform(.command).outcome == .applied)
            try await waitUntil { try await delivered("log") == 5 }
            punch("a", second: -50)
            await sync()
            try await waitUntil { try await delivered("log") == 6 }
            #expect(try await delivered("audit") == 5)
            write(["a", "b"])
            #expect(await reloader.perform(.command).outcome == .applied)
            try await waitUntil { try await delivered("audit") == 6 }
            #expect(devices["a"]?.opens == 1, "sinks do not matter to a session")
        }
    }

    @Test("a file in which nothing is left is taken for one that is being written")
    func emptied() async throws {
        files.set("muster.yaml", "")
        let report = await reloader.perform(.signal)
        #expect(report.outcome == .refused && report.generation == 1)
        #expect(live.configuration.devices.count == 2)
    }

    private func text() throws -> String {
        String(decoding: try files.read("muster.yaml", limit: 100_000), as: UTF8.self)
    }

    @Test("the data directory stays until a restart, and it is said each time")
    func data() async throws {
        files.set("muster.yaml", try text().replacing("data: data", with: "data: elsewhere"))
        for _ in 0..<2 {
            let report = await reloader.perform(.command)
            #expect(report.outcome == .applied && report.generation == 1)
            #expect(report.needsRestart == ["data"])
        }
        #expect(live.configuration.dataDirectory == "data")
    }

    @Test("one reload at a time; those that ask meanwhile share the next, and at the end all are answered")
    func coalescing() async throws {
        let reloader = reloader
        let before = files.reads.withLock { $0 }
        let many = (0..<50).map { _ in Task { await reloader.reload(.command) } }
        // All have asked before anybody serves them.
        while reloader.waitingCount < 50 { await Task.yield() }
        let serving = Task { try await reloader.run() }
        for one in many { #expect(await one.value?.outcome == .unchanged) }
        #expect(files.reads.withLock { $0 } == before + 1)
        serving.cancel()
        _ = try? await serving.value
        #expect(await reloader.reload(.command) == nil)
    }
}

/// A sink whose settings never work.
private struct RefusingSink: PunchSink {
    struct Settings: SinkSettings {
        static let schema = SettingsSchema()
        init(_ values: SettingsValues) throws(ConfigurationError) {}
    }

    static let manifest = SinkManifest(id: "refusing", summary: "Never works.")

    init(settings: Settings, context: SinkContext) throws(SinkFault) {
        throw SinkFault(.permanent, "it never works")
    }

    func open() async throws(SinkFault) {}
    func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery { .allAccepted }
    func close() async {}
}
