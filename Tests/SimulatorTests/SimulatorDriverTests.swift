import DeviceKit
import DeviceKitTesting
import Testing

@testable import SimulatorDriver

@Suite("The simulator driver")
struct SimulatorDriverTests {
    private func settings(_ texts: [String: String] = [:]) throws -> SimulatorSettings {
        try SimulatorSettings(SimulatorSettings.schema.values(texts))
    }

    private func context(_ time: ManualTime) throws -> DriverContext {
        DriverContext(
            device: try #require(DeviceID("lobby")), timeZone: .utc, time: time, random: SeededRandom(seed: 1),
            dialer: ScriptedDialer(), log: SilentLog())
    }

    /// Everything that the terminal holds, read in pages.
    private func log(_ texts: [String: String], limit: Int, at time: ManualTime) async throws -> [PunchRecord] {
        let driver = try SimulatorDriver(settings: try settings(texts), context: try context(time))
        let session = try await driver.open()
        let polling = try #require(session as? any PollingSession)
        var records: [PunchRecord] = []
        var cursor: Cursor?
        while true {
            let page = try await polling.poll(PollRequest(cursor: cursor, limit: limit))
            records += page.records
            cursor = page.cursor
            if !page.hasMore { break }
        }
        await session.close()
        return records
    }

    @Test("keeps the contract")
    func conformance() async throws {
        let settings = try settings(["history": "4d", "people": "12"])
        let device = try #require(DeviceID("lobby"))
        let conformance = DriverConformance<SimulatorDriver>(settings: settings) {
            let time = ManualTime()
            let context = DriverContext(
                device: device, timeZone: .utc, time: time, random: SeededRandom(seed: 1), dialer: ScriptedDialer(),
                log: SilentLog())
            let log = SimulatedLog(settings.plan(for: device, in: .utc))
            return ConformanceBench(
                context: context, log: { log.records(upTo: time.now()) },
                punch: {
                    // The terminal sleeps until its next punch: time moves on to it.
                    let before = log.records(upTo: time.now()).count
                    while log.records(upTo: time.now()).count == before { _ = await time.advanceToNextWake() }
                })
        }
        let report = await conformance.run()
        #expect(report.failures.isEmpty, "\(report)")
        #expect(report.results.contains { $0.outcome == .passed })
    }

    @Test("holds the same log in every run, whatever the pages")
    func determinism() async throws {
        let texts = ["history": "3d", "people": "20", "rate": "2/min"]
        let whole = try await log(texts, limit: 100_000, at: ManualTime())
        let inPages = try await log(texts, limit: 7, at: ManualTime())
        #expect(whole.count > 1_000)
        #expect(whole == inPages)
    }

    @Test("another seed gives another log")
    func seeds() async throws {
        let one = try await log(["seed": "1"], limit: 100_000, at: ManualTime())
        let other = try await log(["seed": "2"], limit: 100_000, at: ManualTime())
        #expect(one != other)
    }

    @Test("gives nobody two punches in one second")
    func identities() async throws {
        struct Identity: Hashable {
            let code: String
            let time: LocalDateTime
        }
        let records = try await log(["rate": "2/s", "people": "10", "history": "0s"], limit: 100_000, at: ManualTime())
        #expect(records.count > 10_000)
        #expect(Set(records.map { Identity(code: $0.code, time: $0.localTime) }).count == records.count)
    }

    @Test("a rate that people cannot keep up with is refused with the remedy")
    func impossibleRate() throws {
        #expect(throws: ConfigurationError.self) { try settings(["rate": "20/s", "people": "10"]) }
    }

    @Test("what a capture brings is what a poll finds afterwards, none missing and none twice")
    func captureAgreesWithPoll() async throws {
        let time = ManualTime()
        let texts = ["rate": "1/s", "people": "5", "history": "0s"]
        let before = try await log(texts, limit: 100_000, at: time)
        let driver = try SimulatorDriver(settings: try settings(texts), context: try context(time))
        let session = try await driver.open()
        let capturing = try #require(session as? any CapturingSession)
        let receiver = RecordingReceiver()
        let capture = Task { try? await capturing.capture(into: receiver) }
        await receiver.waitForSubscription()
        for second in 1...30 {
            await time.waitForSleepers(1)
            time.advance(by: .seconds(1))
            await receiver.waitForDurable(records: second)
        }
        capture.cancel()
        await capture.value
        await session.close()
        let captured = receiver.durable.flatMap(\.records)
        let after = try await log(texts, limit: 100_000, at: time)
        #expect(after == before + captured.prefix(after.count - before.count))
        #expect(captured.count >= 30)
    }
}
