import DeviceKit
import Synchronization
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

    @Test("finds the same punches by index and by position, in both orders")
    func orders() async throws {
        let (journal, lobby, _) = try await filled()
        let start = Instant(secondsSince1970: 1_750_000_000)
        let all = try await journal.reader.punches(.init(device: lobby), limit: 100)
        #expect(all.map(\.position) == Array(stride(from: 1, through: 19, by: 2)))
        let byTime = try await journal.reader.punches(.init(device: lobby, since: start), limit: 100)
        #expect(byTime == all)
        let backwards = try await journal.reader.punches(
            .init(since: start), order: .newestFirst, limit: 3)
        #expect(backwards.map(\.position) == [20, 19, 18])
        let older = try await journal.reader.punches(
            .init(device: lobby, beforePosition: 19), order: .newestFirst, limit: 2)
        #expect(older.map(\.position) == [17, 15])
    }

    @Test("hands out a long answer page by page, and stops when told", arguments: [1, 3, 7, 20, 100])
    func streaming(pageSize: Int) async throws {
        let (journal, _, _) = try await filled()
        let seen = Mutex<[Int64]>([])
        try await journal.reader.forEachPage(pageSize: pageSize) { page in
            seen.withLock { $0 += page.map(\.position) }
            return page.count <= pageSize
        }
        #expect(seen.withLock { $0 } == Array(1...20))
        let pages = Mutex(0)
        try await journal.reader.forEachPage(pageSize: 2) { _ in
            pages.withLock { count in
                count += 1
                return count < 3
            }
        }
        #expect(pages.withLock { $0 } == 3)
        let limited = Mutex<[Int64]>([])
        try await journal.reader.forEachPage(order: .newestFirst, limit: 4, pageSize: 3) { page in
            limited.withLock { $0 += page.map(\.position) }
            return true
        }
        #expect(limited.withLock { $0 } == [20, 19, 18, 17])
    }

    @Test("counts by device and day of the device's wall clock")
    func dailyCounts() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let gate = try device("gate")
        let old = try #require(LocalDateTime(year: 1969, month: 12, day: 31, hour: 23))
        var ancient = try punch(lobby, second: 1)
        ancient.record.localTime = old
        // 1,750,000,000 is 15:06:40 on 15 June 2025.
        _ = try await journal.commit(entry(lobby, [ancient, try punch(lobby, second: 2)]))
        _ = try await journal.commit(
            entry(gate, [try punch(gate, second: 0), try punch(gate, second: 5), try punch(gate, second: 86_400)]))
        let counts = try await journal.reader.dailyCounts()
        #expect(counts.map(\.device) == [gate, gate, lobby, lobby])
        #expect(counts.map(\.count) == [2, 1, 1, 1])
        #expect(counts.map(\.date.day) == [15, 16, 31, 15])
        #expect(counts.map(\.date.year) == [2025, 2025, 1969, 2025])
        #expect(try await journal.reader.dailyCounts(.init(device: lobby)).count == 2)
    }

    @Test("pages a sink's punches by position without a gap or an overlap")
    func paging() async throws {
        let (journal, lobby, gate) = try await filled()
        var positions: [Int64] = []
        var scanned: Int64 = 0
        while true {
            let page = try await journal.reader.deliverable(after: scanned, devices: [lobby, gate], limit: 3)
            if page.punches.isEmpty { break }
            positions += page.punches.map(\.position)
            scanned = page.scannedTo
        }
        #expect(positions == Array(1...20))
        #expect(scanned == 20)
    }

    @Test("a page for a sink ends where its texts grow large, and the next one goes on")
    func largeTexts() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let raw = RawJSON(trusted: #"{"photo":""# + String(repeating: "x", count: 3 << 20) + #""}"#)
        let punches = try (0..<5 as Range<Int64>).map { second in
            var punch = try punch(lobby, second: second)
            punch.record.raw = raw
            return punch
        }
        _ = try await journal.commit(entry(lobby, punches))
        let first = try await journal.reader.deliverable(after: 0, devices: [lobby], limit: 100)
        #expect(first.punches.map(\.position) == [1, 2, 3] && first.scannedTo == 3 && first.isCut)
        let second = try await journal.reader.deliverable(after: 3, devices: [lobby], limit: 100)
        #expect(second.punches.map(\.position) == [4, 5] && second.scannedTo == 5 && !second.isCut)
        #expect(try await journal.replay(to: "audit", .init(), devices: [lobby]) == 0)
    }

    @Test("leaves out invalid punches and other devices from what a sink gets, and says how far it has looked")
    func deliverable() async throws {
        let (journal, lobby, gate) = try await filled()
        var odd = try punch(lobby, second: 50)
        odd.isValid = false
        _ = try await journal.commit(entry(lobby, [odd]))
        let got = try await journal.reader.deliverable(after: 0, devices: [lobby], limit: 100)
        #expect(got.punches.count == 10)
        #expect(got.punches.allSatisfy { $0.punch.device == lobby && $0.punch.isValid })
        #expect(got.scannedTo == 21)
        let part = try await journal.reader.deliverable(after: 4, through: 8, devices: [gate], limit: 100)
        #expect(part.punches.map(\.position) == [6, 8])
        #expect(part.scannedTo == 8)
        #expect(try await journal.reader.deliverable(after: 0, devices: [lobby], limit: 10).scannedTo == 19)
        let none = try await journal.reader.deliverable(after: 0, devices: [], limit: 10)
        #expect(none == DeliverablePage(punches: [], scannedTo: 21))
    }
}
