import DeviceKit
import Testing

@testable import Journal

@Suite("Queries over the journal")
struct JournalReaderTests {
    private let directory = TemporaryDirectory()

    private func filled() async throws -> (PunchJournal, DeviceID, DeviceID) {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let gate = try device("gate")
        for second in 0..<10 {
            let code = second.isMultiple(of: 2) ? "7" : "8"
            _ = try await journal.commit(entry(lobby, [try punch(lobby, code: code, second: Int64(second))]))
            _ = try await journal.commit(entry(gate, [try punch(gate, code: code, second: Int64(second))]))
        }
        return (journal, lobby, gate)
    }

    @Test("filters by device, code, instants and position")
    func filters() async throws {
        let (journal, lobby, _) = try await filled()
        let start = Instant(secondsSince1970: 1_750_000_000)
        #expect(try await journal.reader.count(.init(device: lobby)) == 10)
        #expect(try await journal.reader.count(.init(device: lobby, code: "7")) == 5)
        #expect(try await journal.reader.count(.init(since: start + .seconds(8))) == 4)
        #expect(try await journal.reader.count(.init(until: start + .seconds(2))) == 4)
        #expect(try await journal.reader.count(.init(afterPosition: 15)) == 5)
        #expect(try await journal.reader.punches(.init(code: "nobody"), limit: 5).isEmpty)
    }

    @Test("pages by position without a gap or an overlap")
    func paging() async throws {
        let (journal, lobby, gate) = try await filled()
        var positions: [Int64] = []
        while true {
            let page = try await journal.reader.deliverable(
                after: positions.last ?? 0, devices: [lobby, gate], limit: 3)
            if page.isEmpty { break }
            positions += page.map(\.position)
        }
        #expect(positions == Array(1...20))
    }

    @Test("leaves out invalid punches and other devices from what a sink gets")
    func deliverable() async throws {
        let (journal, lobby, _) = try await filled()
        var odd = try punch(lobby, second: 50)
        odd.isValid = false
        _ = try await journal.commit(entry(lobby, [odd]))
        let got = try await journal.reader.deliverable(after: 0, devices: [lobby], limit: 100)
        #expect(got.count == 10)
        #expect(got.allSatisfy { $0.punch.device == lobby && $0.punch.isValid })
    }

    @Test("a sink's position only moves forward, and its refusals are kept")
    func sinkPositions() async throws {
        let (journal, lobby, gate) = try await filled()
        let now = Instant(secondsSince1970: 1)
        try await journal.saveDelivery(
            sink: "audit", position: 12, rejected: [.init(position: 11, reason: "no such person")], at: now)
        try await journal.saveDelivery(sink: "audit", position: 4, rejected: [], at: now)
        #expect(try await journal.reader.sinkPositions() == ["audit": 12])
        #expect(try await journal.reader.deadLetterCounts() == ["audit": 1])
        let backlog = try await journal.reader.backlog(after: 12, devices: [lobby, gate])
        #expect(backlog.count == 8)
    }
}
