import DeviceKit
import Journal
import Testing

@testable import MusterHost

@Suite("Direction policies")
struct DirectionRulesTests {
    private let bench: DeliveryBench

    init() throws { bench = try DeliveryBench() }

    private func rules(
        _ policy: DirectionPolicy, dayBegins: Duration = .zero, devices: [DeviceID]? = nil
    ) -> DirectionRules {
        let rule = DirectionRules.Rule(policy: policy, dayBegins: dayBegins)
        return DirectionRules(
            rules: Dictionary(uniqueKeysWithValues: (devices ?? [bench.lobby, bench.gate]).map { ($0, rule) }))
    }

    /// Journals punches at these wall times of 2026-11-24 and the days around it.
    private func journal(_ punches: [(device: DeviceID, code: String, time: String)]) async throws -> [JournaledPunch] {
        for entry in punches {
            let local = try #require(LocalDateTime(entry.time))
            guard case .unique(let instant) = DeviceTimeZone.utc.resolve(local) else { continue }
            let record = PunchRecord(
                code: entry.code, localTime: local, direction: Direction(.unknown, raw: 255),
                verification: Verification(.card, raw: 4))
            let punch = Punch(device: entry.device, time: instant, record: record, source: .poll, receivedAt: instant)
            _ = try await bench.journal.commit(
                JournalEntry(device: entry.device, punches: [punch], receivedAt: instant))
        }
        return try await bench.journal.reader.punches(limit: 1_000)
    }

    private func kinds(_ rules: DirectionRules, _ punches: [JournaledPunch]) async throws -> [String] {
        let directed = try await rules.apply(to: punches, reader: bench.journal.reader)
        #expect(directed.allSatisfy { $0.punch.record.direction.raw == 255 }, "the terminal's number is kept")
        #expect(directed.map(\.position) == punches.map(\.position))
        return directed.map(\.punch.record.direction.kind.rawValue)
    }

    private var day: [(device: DeviceID, code: String, time: String)] {
        [
            (bench.lobby, "7", "2026-11-24 08:00:00"), (bench.gate, "8", "2026-11-24 08:05:00"),
            (bench.gate, "7", "2026-11-24 12:00:00"), (bench.lobby, "7", "2026-11-24 12:30:00"),
            (bench.lobby, "7", "2026-11-24 17:00:00"), (bench.lobby, "7", "2026-11-25 08:00:00"),
        ]
    }

    @Test("by turns, over all terminals of a person's day")
    func alternate() async throws {
        let punches = try await journal(day)
        #expect(try await kinds(rules(.alternate), punches) == ["in", "in", "out", "in", "out", "in"])
    }

    @Test("the first goes in, the others out")
    func firstInLastOut() async throws {
        let punches = try await journal(day)
        #expect(try await kinds(rules(.firstInLastOut), punches) == ["in", "in", "out", "out", "out", "in"])
    }

    @Test(
        "by the place of the terminal, or as the terminal says",
        arguments: [
            (DirectionPolicy.fixedIn, "in"), (.fixedOut, "out"), (.device, "unknown"),
        ])
    func fixed(_ policy: DirectionPolicy, _ expected: String) async throws {
        let punches = try await journal(Array(day.prefix(2)))
        #expect(try await kinds(rules(policy), punches) == [expected, expected])
    }

    @Test("a working day may begin after midnight")
    func nightShift() async throws {
        let night = [
            (bench.lobby, "7", "2026-11-24 21:00:00"), (bench.lobby, "7", "2026-11-25 02:00:00"),
            (bench.lobby, "7", "2026-11-25 21:00:00"),
        ]
        let punches = try await journal(night)
        #expect(try await kinds(rules(.alternate), punches) == ["in", "in", "out"])
        #expect(
            try await kinds(rules(.alternate, dayBegins: .seconds(4 * 3_600)), punches) == ["in", "out", "in"])
    }

    @Test("a page in the middle of a day counts what came before it")
    func middle() async throws {
        let punches = try await journal(day)
        #expect(try await kinds(rules(.alternate), Array(punches[3...4])) == ["in", "out"])
    }

    @Test("devices without a rule are left alone")
    func mixed() async throws {
        let punches = try await journal(day)
        #expect(
            try await kinds(rules(.alternate, devices: [bench.lobby]), punches)
                == ["in", "unknown", "unknown", "out", "in", "in"])
    }
}
