import DeviceKit
import DeviceKitTesting
import Foundation
import Journal
import Testing

@testable import MusterHost

@Suite("The sink pump", .timeLimit(.minutes(1)))
struct SinkPumpTests {
    private let bench: DeliveryBench

    init() throws { bench = try DeliveryBench() }

    private func pump(_ sink: any PunchSink, _ devices: Set<DeviceID>? = nil) -> SinkPump {
        SinkPump(
            name: "audit", sink: sink, devices: devices ?? [bench.lobby, bench.gate], journal: bench.journal,
            time: bench.time, random: SeededRandom(seed: 1), log: bench.log)
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
}
