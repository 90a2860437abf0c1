import DeviceKit
import Foundation
import GRDB
import Testing

@testable import Journal

@Suite("What an acknowledgement rests on")
struct JournalSafetyTests {
    private let directory = TemporaryDirectory()

    @Test("refuses to run on a connection that would not sync", arguments: ["OFF", "NORMAL", "EXTRA"])
    func refusesOtherModes(mode: String) throws {
        let queue = try DatabaseQueue(path: directory.path + ".sqlite")
        defer { try? FileManager.default.removeItem(atPath: directory.path + ".sqlite") }
        #expect {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = \(mode)")
                try JournalDatabase.checkDurability(database)
            }
        } throws: { ($0 as? JournalError)?.kind == .unavailable }
        #expect {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL")
                try JournalDatabase.checkDurability(database)
            }
        } throws: { ($0 as? JournalError)?.kind == .unavailable }
    }

    @Test("a failure between punches and cursor stores neither, and the next try stores both")
    func atomicity() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let cursor = try #require(Cursor(bytes: [7]))
        try await journal.change { database, _ in
            try database.execute(
                sql: """
                    CREATE TEMP TRIGGER fault BEFORE UPDATE OF cursor ON devices
                    BEGIN SELECT RAISE(ABORT, 'fault on order'); END
                    """)
        }
        let page = entry(lobby, [try punch(lobby, second: 1)], cursor: .set(cursor, floor: nil))
        await #expect(throws: JournalError.self) { _ = try await journal.commit(page) }
        #expect(try await journal.reader.count() == 0)
        #expect(try await journal.reader.statuses().isEmpty)
        try await journal.change { database, _ in try database.execute(sql: "DROP TRIGGER fault") }
        #expect(try await journal.commit(page).journaled == 1)
        #expect(try await journal.cursor(for: lobby)?.cursor == cursor)
    }

    @Test("what was committed is in the files: a copy taken without closing opens with punches and cursor")
    func crashImage() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let cursor = try #require(Cursor(bytes: [7]))
        let punches = try (0..<3_000).map { try punch(lobby, second: $0) }
        _ = try await journal.commit(entry(lobby, punches, cursor: .set(cursor, floor: nil)))
        let image = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: image.path, withIntermediateDirectories: true)
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: directory.data.journalPath + suffix, toPath: image.data.journalPath + suffix)
        }
        let survivor = try PunchJournal(image.data)
        #expect(try await survivor.reader.count() == 3_000)
        #expect(try await survivor.cursor(for: lobby)?.cursor == cursor)
        withExtendedLifetime(journal) {}
    }

    @Test("a torn write-ahead log loses whole transactions from its end only", arguments: [1, 100, 4_096, 9_999])
    func tornLog(cut: Int) async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        for round in 0..<20 {
            let cursor = try #require(Cursor(bytes: [UInt8(round)]))
            let punches = try (0..<10).map { try punch(lobby, second: Int64(round * 10 + $0)) }
            _ = try await journal.commit(entry(lobby, punches, cursor: .set(cursor, floor: nil)))
        }
        let image = TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: image.path, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: directory.data.journalPath, toPath: image.data.journalPath)
        let log = try Data(contentsOf: URL(fileURLWithPath: directory.data.journalPath + "-wal"))
        try log.dropLast(cut).write(to: URL(fileURLWithPath: image.data.journalPath + "-wal"))
        let survivor = try PunchJournal(image.data)
        let count = try await survivor.reader.count()
        let cursor = try await survivor.cursor(for: lobby)?.cursor
        #expect(count < 200)
        #expect(count == (cursor.map { Int($0.bytes.first ?? 0) + 1 } ?? 0) * 10)
        withExtendedLifetime(journal) {}
    }

    @Test("a cancelled caller's commit, status and reading still run to their end")
    func cancellation() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let made = try punch(lobby, second: 1)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            let receipt = try await journal.commit(entry(lobby, [made]))
            try await journal.saveStatus(
                DeviceStatus(device: lobby, state: "stopping", updatedAt: Instant(secondsSince1970: 1)))
            try await journal.saveDelivery(
                SinkDelivery(position: receipt.position), sink: "audit", at: Instant(secondsSince1970: 1))
            return try await journal.reader.count()
        }
        #expect(try await task.value == 1)
        #expect(try await journal.reader.status(for: lobby)?.state == "stopping")
        #expect(try await journal.sinkProgress("audit")?.position == 1)
    }

    @Test(
        "says what a failure of the database means",
        arguments: [
            (ResultCode.SQLITE_FULL, JournalError.Kind.full), (.SQLITE_IOERR, .fatal), (.SQLITE_IOERR_FSYNC, .fatal),
            (.SQLITE_CORRUPT, .fatal), (.SQLITE_CANTOPEN, .unavailable), (.SQLITE_BUSY, .unavailable),
            (.SQLITE_READONLY, .unavailable), (.SQLITE_NOTADB, .unavailable),
        ])
    func kinds(code: ResultCode, kind: JournalError.Kind) {
        #expect(JournalDatabase.journalError(DatabaseError(resultCode: code), path: "x").kind == kind)
    }

    @Test(
        "after a failed write or sync nothing more is written until the next start; after a full disk or a mistake it is",
        arguments: [
            (ResultCode.SQLITE_IOERR_FSYNC, true), (.SQLITE_IOERR_WRITE, true), (.SQLITE_CORRUPT, true),
            (.SQLITE_FULL, false), (.SQLITE_ERROR, false), (.SQLITE_CONSTRAINT, false),
        ])
    func distrust(code: ResultCode, isEnd: Bool) async throws {
        let lobby = try device("lobby")
        do {
            let journal = try PunchJournal(directory.data)
            _ = try await journal.commit(entry(lobby, [try punch(lobby, second: 1)]))
            await #expect(throws: JournalError.self) {
                try await journal.change { _, _ in throw DatabaseError(resultCode: code) }
            }
            let next = entry(lobby, [try punch(lobby, second: 2)])
            if isEnd {
                await #expect { _ = try await journal.commit(next) } throws: { ($0 as? JournalError)?.kind == .fatal }
                await #expect(throws: JournalError.self) { try await journal.saveImportPlace("1", of: "x") }
            } else {
                #expect(try await journal.commit(next).journaled == 1)
            }
            #expect(try await journal.reader.count() == (isEnd ? 1 : 2))
        }
        let journal = try PunchJournal(directory.data)
        #expect(try await journal.commit(entry(lobby, [try punch(lobby, second: 3)])).journaled == 1)
    }

    @Test("a person whose code holds a zero byte is not taken for another")
    func zeroBytes() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let codes = ["1\u{0}2", "1", "1\u{0}3"]
        let punches = try codes.map { try punch(lobby, code: $0, second: 1) }
        #expect(try await journal.commit(entry(lobby, punches)).journaled == 3)
        #expect(try await journal.commit(entry(lobby, punches)).duplicates == 3)
    }
}
