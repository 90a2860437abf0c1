import DeviceKit
import Foundation
import Testing

@testable import Journal

@Suite("The journal")
struct PunchJournalTests {
    private let directory = TemporaryDirectory()

    @Test("syncs every commit: the writing connection says FULL", arguments: [true, false])
    func synchronous(readsWhileWriting: Bool) throws {
        let journal = try PunchJournal(DataDirectoryLock(directory.data), readsWhileWriting: readsWhileWriting)
        #expect(try journal.writerSynchronousMode() == 2)
    }

    @Test("one opened without connections for readers is the same journal to the next process")
    func oneConnection() async throws {
        let lobby = try device("lobby")
        for second in 1...2 as ClosedRange<Int64> {
            let journal = try PunchJournal(DataDirectoryLock(directory.data), readsWhileWriting: false)
            _ = try await journal.commit(entry(lobby, [try punch(lobby, second: second)]))
            #expect(try await journal.reader.count() == Int(second))
        }
        let journal = try PunchJournal(directory.data)
        #expect(try await journal.commit(entry(lobby, [try punch(lobby, second: 2)])).duplicates == 1)
        #expect(try await journal.reader.count() == 2)
    }

    @Test("gives back what was stored, field by field", arguments: [true, false])
    func roundTrip(readsWhileWriting: Bool) async throws {
        let journal = try PunchJournal(DataDirectoryLock(directory.data), readsWhileWriting: readsWhileWriting)
        let lobby = try device("lobby")
        var stored = try punch(lobby, code: "00042", second: 1, notes: "moved")
        stored.record.direction = Direction(.unknown, raw: 255)
        stored.record.verification = Verification(.face, raw: 15)
        stored.record.workCode = "9"
        stored.isValid = false
        _ = try await journal.commit(entry(lobby, [stored]))
        let found = try await journal.reader.punches(limit: 10)
        #expect(found.map(\.punch) == [stored])
    }

    @Test("keeps a punch once and counts its copies, in one entry and across entries")
    func duplicates() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let first = try punch(lobby, second: 1)
        let second = try punch(lobby, second: 2)
        let receipt = try await journal.commit(entry(lobby, [first, second, first]))
        #expect(receipt == CommitReceipt(journaled: 2, duplicates: 1, rejected: 0, position: 2))
        let again = try await journal.commit(entry(lobby, [second, first]))
        #expect(again.journaled == 0)
        #expect(again.duplicates == 2)
        let counters = try #require(try await journal.reader.statuses()[lobby]?.counters)
        #expect(counters == DeviceCounters(received: 5, journaled: 2, duplicates: 3, rejected: 0))
    }

    @Test("tells people, devices and seconds apart")
    func identity() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let gate = try device("gate")
        let receipt = try await journal.commit(
            entry(
                lobby,
                [
                    try punch(lobby, code: "7", second: 1), try punch(lobby, code: "07", second: 1),
                    try punch(lobby, code: "7", second: 2),
                ]))
        #expect(receipt.journaled == 3)
        #expect(try await journal.commit(entry(gate, [try punch(gate, code: "7", second: 1)])).journaled == 1)
    }

    @Test("keeps the order of the source, also when times run backwards")
    func order() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let punches = try [5, 3, 9, 1].map { try punch(lobby, second: $0) }
        _ = try await journal.commit(entry(lobby, punches))
        #expect(try await journal.reader.punches(limit: 10).map(\.punch) == punches)
        let newest = try await journal.reader.punches(order: .newestFirst, limit: 1)
        #expect(newest.map(\.punch) == [punches[3]])
    }

    @Test("moves the cursor with the punches, and with nothing else")
    func cursor() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        #expect(try await journal.cursor(for: lobby) == nil)
        let cursor = try #require(Cursor(bytes: [1, 2, 3]))
        let floor = try #require(LocalDateTime(year: 2026, month: 1, day: 2))
        _ = try await journal.commit(
            entry(lobby, [try punch(lobby, second: 1)], cursor: .set(cursor, floor: floor), beginsEpoch: true))
        #expect(try await journal.cursor(for: lobby) == StoredCursor(cursor: cursor, floor: floor, epoch: 2))
        _ = try await journal.commit(entry(lobby, [try punch(lobby, second: 2)]))
        #expect(try await journal.cursor(for: lobby)?.cursor == cursor)
        _ = try await journal.commit(entry(lobby, [], cursor: .clear))
        #expect(try await journal.cursor(for: lobby) == nil)
    }

    @Test("stores nothing when the disk is full, says so, and goes on when there is room")
    func full() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let cursor = try #require(Cursor(bytes: [1]))
        _ = try await journal.commit(entry(lobby, [try punch(lobby, second: 0)]))
        try journal.limitPageCount(1)
        let many = try (1...5_000).map { try punch(lobby, second: $0) }
        await #expect {
            _ = try await journal.commit(entry(lobby, many, cursor: .set(cursor, floor: nil)))
        } throws: {
            ($0 as? JournalError)?.kind == .full
        }
        #expect(try await journal.reader.count() == 1)
        #expect(try await journal.cursor(for: lobby) == nil)
        try journal.limitPageCount(1_000_000)
        let receipt = try await journal.commit(entry(lobby, many, cursor: .set(cursor, floor: nil)))
        #expect(receipt.journaled == 5_000)
        #expect(try await journal.cursor(for: lobby)?.cursor == cursor)
    }

    @Test("commits of many devices share transactions, and each gets its own receipt")
    func groupCommit() async throws {
        let journal = try PunchJournal(directory.data)
        let devices = try (0..<50).map { try device("gate-\($0)") }
        let receipts = try await withThrowingTaskGroup(of: (Int, CommitReceipt).self) { group in
            for (index, gate) in devices.enumerated() {
                for second in 0..<20 {
                    // Every fourth punch repeats the one before it.
                    let made = try punch(gate, second: Int64(second - second % 4 / 3))
                    group.addTask { (index, try await journal.commit(entry(gate, [made]))) }
                }
            }
            var all: [(Int, CommitReceipt)] = []
            for try await receipt in group { all.append(receipt) }
            return all
        }
        #expect(receipts.count == 1_000)
        #expect(receipts.allSatisfy { $0.1.journaled + $0.1.duplicates == 1 })
        #expect(try await journal.reader.count() == 750)
        for index in devices.indices {
            #expect(receipts.filter { $0.0 == index }.map(\.1.journaled).reduce(0, +) == 15)
        }
        #expect(await journal.transactionCount < 500)
    }

    @Test("a record that does not decode is kept once, with its bytes")
    func rejected() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let record = RejectedRecord(reason: "month 13", bytes: [1, 2, 3])
        for _ in 0..<2 { _ = try await journal.commit(entry(lobby, [], rejected: [record])) }
        #expect(try await journal.reader.rejectedRecords(of: lobby, limit: 10) == [record])
        #expect(try await journal.reader.statuses()[lobby]?.counters.rejected == 2)
    }

    @Test("wakes who waits for a change, and lets a cancelled waiter go")
    func change() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let generation = journal.generation
        async let woken: Void = journal.waitForChange(since: generation)
        _ = try await journal.commit(entry(lobby, [try punch(lobby, second: 1)]))
        try await woken
        let now = journal.generation
        let waiter = Task { try await journal.waitForChange(since: now) }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
    }

    @Test("keeps a device's status over a restart")
    func status() async throws {
        let lobby = try device("lobby")
        var status = DeviceStatus(device: lobby, state: "online", updatedAt: Instant(secondsSince1970: 9))
        status.identity = DeviceIdentity(serialNumber: "S1", registrationNumber: "ZMM220", firmware: "6.60")
        status.inventory = LogInventory(recordCount: 5, recordCapacity: 100, peopleCount: 2)
        status.lastError = "gone"
        status.failuresInARow = 3
        do {
            let journal = try PunchJournal(directory.data)
            try await journal.saveStatus(status)
            _ = try await journal.commit(entry(lobby, [try punch(lobby, second: 1)]))
        }
        let reader = try JournalReader(directory.data)
        #expect(try await reader.status(for: lobby) == status)
        #expect(try await reader.count() == 1)
    }
}
