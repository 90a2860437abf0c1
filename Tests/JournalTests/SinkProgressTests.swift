import DeviceKit
import Testing

@testable import Journal

@Suite("How far a sink has been served")
struct SinkProgressTests {
    private let directory = TemporaryDirectory()
    private let now = Instant(secondsSince1970: 1)

    private func filled() async throws -> (PunchJournal, DeviceID, DeviceID) {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let gate = try device("gate")
        for second in 0..<10 {
            _ = try await journal.commit(entry(lobby, [try punch(lobby, second: Int64(second))]))
            _ = try await journal.commit(entry(gate, [try punch(gate, second: Int64(second))]))
        }
        return (journal, lobby, gate)
    }

    @Test("a position only moves forward, and lanes are kept")
    func positions() async throws {
        let (journal, lobby, gate) = try await filled()
        #expect(try await journal.sinkProgress("audit") == nil)
        try await journal.saveDelivery(
            SinkDelivery(position: 12, lanes: [lobby: .following, gate: .behind(4)]), sink: "audit", at: now)
        try await journal.saveDelivery(SinkDelivery(position: 4), sink: "audit", at: now)
        let expected = SinkProgress(position: 12, lanes: [lobby: .following, gate: .behind(4)])
        #expect(try await journal.sinkProgress("audit") == expected)
        try await journal.saveDelivery(
            SinkDelivery(position: 12, lanes: [gate: .following]), sink: "audit", at: now)
        #expect(try await journal.sinkProgress("audit")?.lanes[gate] == .following)
        #expect(try await journal.sinkProgress("other") == nil)
    }

    @Test("the backlog counts each device from its own position")
    func backlog() async throws {
        let (journal, lobby, gate) = try await filled()
        #expect(try await journal.reader.backlog(of: "audit", devices: [lobby, gate]).count == 20)
        try await journal.saveDelivery(
            SinkDelivery(position: 20, lanes: [lobby: .following, gate: .behind(16)]), sink: "audit", at: now)
        let backlog = try await journal.reader.backlog(of: "audit", devices: [lobby, gate])
        #expect(backlog.count == 2)
        #expect(backlog.oldest == Instant(secondsSince1970: 1_750_000_008) + .seconds(5))
        let newcomer = try device("cellar")
        _ = try await journal.commit(entry(newcomer, [try punch(newcomer, second: 1)]))
        #expect(try await journal.reader.backlog(of: "audit", devices: [lobby, newcomer]).count == 1)
        #expect(try await journal.reader.backlog(of: "audit", devices: [lobby]).oldest == nil)
    }

    @Test("dead letters keep the punch, the reason and the time, once each")
    func deadLetters() async throws {
        let (journal, _, gate) = try await filled()
        for reason in ["no such person", "still no such person"] {
            try await journal.saveDelivery(
                SinkDelivery(position: 6, delivered: 5, rejected: [.init(position: 6, reason: reason)]),
                sink: "audit", at: now)
        }
        let letters = try await journal.reader.deadLetters(of: "audit", limit: 10)
        #expect(letters.map(\.reason) == ["still no such person"])
        #expect(letters.map(\.punch.position) == [6])
        #expect(letters.map(\.punch.punch.device) == [gate])
        #expect(letters.map(\.rejectedAt) == [now])
        let status = try #require(try await journal.reader.sinks().first)
        #expect(status.deadLetterCount == 1)
        #expect(status.deliveredCount == 10)
    }

    @Test("a punch that the journal forgot while the sink had it leaves no dead letter, and the rest is stored")
    func forgottenMeanwhile() async throws {
        let directory = TemporaryDirectory()
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        _ = try await journal.commit(entry(lobby, try (0..<3).map { try punch(lobby, second: $0) }))
        let rule = RetentionRule(
            receivedBefore: Instant(millisecondsSince1970: .max), served: [:], includesUndelivered: true)
        #expect(try await journal.forget(rule, after: 0).undelivered == 3)
        try await journal.saveDelivery(
            SinkDelivery(
                position: 3, lanes: [lobby: .following], delivered: 2, rejected: [.init(position: 2, reason: "?")]),
            sink: "db", at: Instant(secondsSince1970: 1_750_000_600))
        #expect(try await journal.reader.deadLetters(limit: 10).isEmpty)
        #expect(try await journal.sinkProgress("db")?.position == 3)
    }

    @Test("a long journal is replayed whole, by position, and only what the sink has had")
    func longReplay() async throws {
        let directory = TemporaryDirectory()
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        for start in stride(from: Int64(0), to: 50_000, by: 5_000) {
            _ = try await journal.commit(
                entry(lobby, try (start..<start + 5_000).map { try punch(lobby, second: $0) }))
        }
        try await journal.saveDelivery(
            SinkDelivery(position: 45_001, lanes: [lobby: .following]), sink: "db", at: now)
        let last = JournalReader.Filter(since: Instant(secondsSince1970: 1_750_000_000 + 39_999))
        #expect(try await journal.replay(to: "db", last, devices: [lobby]) == 5_002)
        #expect(try await journal.replay(to: "db", .init(), devices: [lobby]) == 39_999)
        #expect(try await journal.reader.redeliverable(to: "db", limit: 3).map(\.position) == [1, 2, 3])
    }

    @Test("failing and working again are kept for the command line")
    func health() async throws {
        let journal = try PunchJournal(directory.data)
        try await journal.saveSinkHealth("audit", failingSince: now, lastError: "disk full")
        var status = try #require(try await journal.reader.sinks().first)
        #expect(status.failingSince == now)
        #expect(status.lastError == "disk full")
        try await journal.saveSinkHealth("audit", failingSince: nil, lastError: nil)
        status = try #require(try await journal.reader.sinks().first)
        #expect(status.failingSince == nil)
        #expect(status.progress == SinkProgress())
    }
}
