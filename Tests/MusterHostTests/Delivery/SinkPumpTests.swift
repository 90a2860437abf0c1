import DeviceKit
import DeviceKitTesting
import Foundation
import Journal
import Synchronization
import Testing

@testable import MusterHost

@Suite("The sink pump", .timeLimit(.minutes(1)))
struct SinkPumpTests {
    private let bench: DeliveryBench

    init() throws { bench = try DeliveryBench() }

    private func pump(
        _ sink: any PunchSink, _ devices: Set<DeviceID>? = nil, selection: PunchSelection = PunchSelection(),
        board: DeviceBoard = DeviceBoard()
    ) -> SinkPump {
        SinkPump(
            SinkPump.Plan(name: "audit", devices: devices ?? [bench.lobby, bench.gate], selection: selection),
            sink: sink, journal: bench.journal, board: board, time: bench.time, random: SeededRandom(seed: 1),
            log: bench.log)
    }

    /// Runs a pump until everything that stands in the journal is delivered.
    private func drain(_ sink: any PunchSink, _ devices: Set<DeviceID>? = nil) async throws {
        let pump = pump(sink, devices)
        pump.stop()
        try await pump.run()
    }

    @Test("a new sink gets the whole journal in order, and closes at the end")
    func backlog() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<1_700)
        try await bench.commit(bench.gate, seconds: 0..<300)
        let sink = RecordingSink()
        try await drain(sink)
        #expect(sink.got == Array(1...2_000))
        #expect(sink.batches == [250, 500, 1_000, 250])
        #expect(sink.closes == 1)
        #expect(try await bench.journal.reader.backlog(of: "audit", devices: [bench.lobby, bench.gate]).count == 0)
    }

    @Test("a device that joins while the sink runs gets all of its punches, one that leaves none")
    func adjusting() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<5)
        try await bench.commit(bench.gate, seconds: 0..<3)
        let sink = RecordingSink()
        let pump = pump(sink, [bench.lobby])
        async let running: Void = pump.run()
        await sink.waitFor(5)
        pump.adjust(SinkPump.Plan(name: "audit", devices: [bench.gate]))
        await sink.waitFor(8)
        try await bench.commit(bench.lobby, seconds: 10..<12)
        try await bench.commit(bench.gate, seconds: 10..<12)
        await sink.waitFor(10)
        pump.adjust(SinkPump.Plan(name: "audit", devices: [bench.gate, bench.lobby]))
        await sink.waitFor(12)
        pump.halt()
        try await running
        #expect(sink.got.sorted() == Array(1...12) && Set(sink.got).count == 12)
        #expect(sink.opens == 1 && sink.closes == 1)
    }

    @Test("halting leaves what is not under way for later")
    func halting() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<5)
        let sink = RecordingSink(failing: SinkFault(.transient, "no answer"))
        let pump = pump(sink)
        async let running: Void = pump.run()
        await bench.time.waitForSleepers(1)
        pump.halt()
        try await running
        #expect(sink.got.isEmpty && sink.closes == 1)
        try await drain(RecordingSink())
    }

    @Test("delivers what is committed while it waits")
    func live() async throws {
        let sink = RecordingSink()
        let pump = pump(sink)
        async let end: Void = pump.run()
        for second in 0..<20 {
            try await bench.commit(bench.lobby, seconds: Int64(second)..<Int64(second) + 1)
            await sink.waitFor(second + 1)
        }
        pump.stop()
        try await end
        #expect(sink.got == Array(1...20))
    }

    @Test("leaves out invalid punches and devices that do not list the sink")
    func filter() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<2)
        try await bench.commit(bench.lobby, seconds: 2..<3, isValid: false)
        try await bench.commit(bench.gate, seconds: 0..<2)
        try await bench.commit(bench.lobby, seconds: 4..<5)
        let sink = RecordingSink()
        try await drain(sink, [bench.lobby])
        #expect(sink.got == [1, 2, 6])
    }

    @Test("goes on after a restart without repeating anything")
    func restart() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<5)
        let sink = RecordingSink()
        try await drain(sink)
        try await bench.commit(bench.lobby, seconds: 5..<8)
        try await drain(sink)
        #expect(sink.got == Array(1...8))
        #expect(try await bench.journal.reader.sinks().first?.deliveredCount == 8)
    }

    @Test("a device that is attached later gets its older punches too, each once")
    func attachment() async throws {
        for second in 0..<5 {
            try await bench.commit(bench.lobby, seconds: Int64(second)..<Int64(second) + 1)
            try await bench.commit(bench.gate, seconds: Int64(second)..<Int64(second) + 1)
        }
        let sink = RecordingSink()
        try await drain(sink, [bench.lobby])
        #expect(sink.got == [1, 3, 5, 7, 9])
        try await bench.commit(bench.lobby, seconds: 10..<11)
        try await bench.commit(bench.gate, seconds: 10..<11)
        try await drain(sink)
        #expect(sink.got == [1, 3, 5, 7, 9, 2, 4, 6, 8, 10, 11, 12])
        try await drain(sink, [bench.gate])
        try await bench.commit(bench.lobby, seconds: 12..<13)
        try await bench.commit(bench.gate, seconds: 12..<13)
        try await drain(sink, [bench.gate])
        try await drain(sink)
        #expect(sink.got.suffix(2) == [14, 13])
        #expect(sink.got.count == 14)
    }

    @Test("an outage costs nothing but time: one line when it begins, one when it is over")
    func outage() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<3)
        let sink = RecordingSink(failing: SinkFault(.transient, "no answer"))
        let pump = pump(sink)
        async let end: Void = pump.run()
        for _ in 0..<5 { await bench.time.advanceToNextWake() }
        await bench.time.waitForSleepers(1)
        let failing = try #require(try await bench.journal.reader.sinks().first)
        #expect(failing.lastError == "no answer")
        #expect(failing.failingSince != nil)
        #expect(failing.progress.position == 0)
        try await bench.commit(bench.lobby, seconds: 3..<6)
        sink.fail(with: nil)
        await bench.time.advanceToNextWake()
        await sink.waitFor(6)
        pump.stop()
        try await end
        #expect(sink.got == Array(1...6))
        #expect(sink.opens == 7)
        #expect(bench.log.entries.map(\.level) == [.warning, .info])
        #expect(bench.log.entries.last?.metadata["failures"] == "6")
        #expect(try await bench.journal.reader.sinks().first?.failingSince == nil)
    }

    @Test("refused punches become dead letters, the others are delivered")
    func rejection() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<5)
        let sink = RecordingSink(refusing: [2, 4])
        try await drain(sink)
        let letters = try await bench.journal.reader.deadLetters(of: "audit", limit: 10)
        #expect(letters.map(\.punch.position) == [4, 2])
        #expect(letters.allSatisfy { $0.reason == "unknown person" })
        let status = try #require(try await bench.journal.reader.sinks().first)
        #expect(status.deliveredCount == 3)
        #expect(status.progress.position == 5)
        try await drain(sink)
        #expect(sink.got == Array(1...5))
    }

    @Test("stops at once while the sink fails, and delivers in the next run")
    func stopWhileFailing() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<3)
        let sink = RecordingSink(failing: SinkFault(.transient, "no answer"))
        let pump = pump(sink)
        async let end: Void = pump.run()
        await bench.time.waitForSleepers(1)
        pump.stop()
        try await end
        #expect(sink.closes == 1)
        sink.fail(with: nil)
        try await drain(sink)
        #expect(sink.got == [1, 2, 3])
    }

    @Test("a cancelled pump closes its sink and returns")
    func cancellation() async throws {
        let sink = RecordingSink()
        let pump = pump(sink)
        let task = Task { try await pump.run() }
        try await bench.commit(bench.lobby, seconds: 0..<1)
        await sink.waitFor(1)
        task.cancel()
        try await task.value
        #expect(sink.closes == 1)
    }

    @Test("a position that the journal had no room for is stored later, and nothing comes twice meanwhile")
    func journalFull() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<2_000)
        // Refusals take more room than the journal's pages have left.
        let sink = RecordingSink(refusing: Set(1...250))
        try bench.journal.limitPageCount(1)
        let pump = pump(sink)
        async let end: Void = pump.run()
        await bench.time.waitForSleepers(1)
        let before = sink.got
        try bench.journal.limitPageCount(1_000_000)
        await bench.time.advanceToNextWake()
        await sink.waitFor(2_000)
        pump.stop()
        try await end
        #expect(sink.got == Array(1...2_000))
        #expect(before == Array(1...250))
    }

    @Test("a retried letter is delivered or refused once more, and counted")
    func retry() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<5)
        try await drain(RecordingSink(refusing: [2, 4]))
        #expect(try await bench.journal.retryDeadLetters(of: "audit") == 2)
        #expect(
            try await bench.journal.reader.deadLetters(limit: 10).map(\.state) == [.retrying, .retrying])
        let sink = RecordingSink(refusing: [4])
        try await drain(sink)
        #expect(sink.got == [2, 4])
        let letters = try await bench.journal.reader.deadLetters(of: "audit", limit: 10)
        #expect(letters.map(\.punch.position) == [4])
        #expect(letters.first?.attempts == 2 && letters.first?.state == .parked)
        #expect(try await bench.journal.reader.sinks().first?.deliveredCount == 4)
    }

    @Test("a discarded letter stays for the record and is retried only by its name")
    func discard() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<3)
        try await drain(RecordingSink(refusing: [2]))
        let now = bench.time.now()
        #expect(try await bench.journal.discardDeadLetters(of: "audit", at: now) == 1)
        #expect(try await bench.journal.reader.deadLetters(limit: 10).isEmpty)
        #expect(try await bench.journal.reader.deadLetters(includingDiscarded: true, limit: 10).count == 1)
        #expect(try await bench.journal.reader.sinks().first?.deadLetterCount == 0)
        #expect(try await bench.journal.retryDeadLetters(of: "audit") == 0)
        #expect(try await bench.journal.retryDeadLetters(of: "audit", positions: [2]) == 1)
        let sink = RecordingSink()
        try await drain(sink)
        #expect(sink.got == [2])
        #expect(try await bench.journal.reader.deadLetters(includingDiscarded: true, limit: 10).isEmpty)
    }

    @Test("a replay while the host runs brings the asked punches again, and new ones come between them")
    func replay() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<2_000)
        let sink = RecordingSink()
        let pump = pump(sink)
        async let end: Void = pump.run()
        await sink.waitFor(2_000)
        var filter = JournalReader.Filter()
        filter.since = Instant(secondsSince1970: 1_750_000_000 + 1_000)
        while try await bench.journal.sinkProgress("audit")?.position != 2_000 { await Task.yield() }
        #expect(try await bench.journal.replay(to: "audit", filter, devices: [bench.lobby]) == 1_000)
        try await bench.commit(bench.lobby, seconds: 3_000..<3_010)
        pump.redeliver()
        await sink.waitFor(3_010)
        pump.stop()
        try await end
        let again = sink.got.dropFirst(2_000)
        #expect(Set(again) == Set(1_001...2_010) && again.count == 1_010)
        #expect(again.filter { $0 <= 2_000 } == Array(1_001...2_000))
    }

    @Test("a sink gets only the directions that it wants, as the policy has them, and invalid punches on request")
    func selection() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<4)
        try await bench.commit(bench.lobby, seconds: 4..<5, isValid: false)
        var selection = PunchSelection()
        selection.includesInvalid = true
        let all = RecordingSink()
        let pump1 = pump(all, selection: selection)
        pump1.stop()
        try await pump1.run()
        #expect(all.got == [1, 2, 3, 4, 5])
    }

    @Test("a selection that leaves everything out still reaches the end of a long journal")
    func emptySelection() async throws {
        try await bench.commit(bench.lobby, seconds: 0..<1_000)
        var selection = PunchSelection()
        selection.directions = [.out]
        let sink = RecordingSink()
        let pump = pump(sink, selection: selection)
        async let end: Void = pump.run()
        pump.stop()
        try await end
        #expect(sink.got.isEmpty)
    }

    @Test("tells a sink that shows devices what is new of them, all at the beginning, then what changed")
    func reports() async throws {
        let sink = ReportingSink()
        let board = DeviceBoard([
            DeviceReport(device: bench.lobby, name: "Lobby", state: "online"),
            DeviceReport(device: bench.gate, name: "Gate", state: "idle"),
        ])
        let pump = pump(sink, board: board)
        async let end: Void = pump.run()
        await sink.waitFor(1)
        var changed = DeviceReport(device: bench.gate, name: "Gate", state: "backing-off")
        changed.conditions.raise(DeviceCondition(.logNearlyFull, "95 % are used", since: bench.time.now()))
        board.update(changed)
        await sink.waitFor(2)
        board.update(changed)
        pump.stop()
        try await end
        #expect(sink.calls.map(\.names) == [["Gate", "Lobby"], ["Gate"]])
        #expect(sink.calls.map(\.isComplete) == [true, false])
    }
}

/// A sink that keeps what it heard of devices.
private final class ReportingSink: DeviceReportSink {
    static let manifest = SinkManifest(id: "reporting", summary: "Keeps what it heard of devices.")
    typealias Settings = RecordingSink.Settings

    struct Call: Sendable {
        var names: [String]
        var isComplete: Bool
    }

    private let state = Mutex<[Call]>([])
    private let watch = AsyncStream.makeStream(of: Int.self)

    init() {}
    init(settings: Settings, context: SinkContext) throws(SinkFault) {}

    var calls: [Call] { state.withLock { $0 } }

    func waitFor(_ count: Int) async {
        for await seen in watch.stream where seen >= count { return }
    }

    func open() async throws(SinkFault) {}
    func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery { .allAccepted }
    func close() async {}

    func report(_ devices: [DeviceReport], isComplete: Bool) async throws(SinkFault) {
        let count = state.withLock { calls in
            calls.append(Call(names: devices.map(\.name), isComplete: isComplete))
            return calls.count
        }
        watch.continuation.yield(count)
    }
}
