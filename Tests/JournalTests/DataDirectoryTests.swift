import DeviceKit
import Foundation
import GRDB
import Testing

@testable import Journal

@Suite("The data directory")
struct DataDirectoryTests {
    private let directory = TemporaryDirectory()

    @Test("belongs to one host at a time, and the refusal names the process")
    func lock() throws {
        let first = try PunchJournal(directory.data)
        #expect {
            _ = try PunchJournal(directory.data)
        } throws: { error in
            let error = error as? JournalError
            return error?.kind == .unavailable && error?.message.contains("process \(getpid())") == true
        }
        withExtendedLifetime(first) {}
    }

    @Test("is made with the directories above it, for its owner and group; a file in its place is refused")
    func creation() throws {
        let deep = DataDirectory(path: directory.path + "/a/b//c/")
        do { _ = try PunchJournal(deep) }
        #expect(deep.hasJournal)
        let mode = try FileManager.default.attributesOfItem(atPath: directory.path + "/a")[.posixPermissions] as? Int
        #expect((mode ?? 0o777) & 0o027 == 0)
        try Data().write(to: URL(fileURLWithPath: directory.path + "/file"))
        #expect {
            _ = try PunchJournal(DataDirectory(path: directory.path + "/file/data"))
        } throws: { error in
            let error = error as? JournalError
            return error?.kind == .unavailable && error?.message.contains("/file/data") == true
        }
    }

    @Test("is free again when its host is gone")
    func lockIsReleased() throws {
        do { _ = try PunchJournal(directory.data) }
        _ = try PunchJournal(directory.data)
    }

    @Test("a reader works beside the host and sees what it commits")
    func readerBesideHost() async throws {
        let journal = try PunchJournal(directory.data)
        let lobby = try device("lobby")
        let reader = try JournalReader(directory.data)
        #expect(try await reader.latestPosition() == 0)
        _ = try await journal.commit(entry(lobby, [try punch(lobby, second: 1)]))
        #expect(try await reader.latestPosition() == 1)
        #expect(try await reader.punches(limit: 5).count == 1)
    }

    @Test("a reader says that there is no journal yet")
    func noJournal() {
        #expect {
            _ = try JournalReader(directory.data)
        } throws: { ($0 as? JournalError)?.kind == .missing }
    }

    @Test("a journal of a newer version is refused and left as it was")
    func newerSchema() throws {
        do { _ = try PunchJournal(directory.data) }
        do {
            let raw = try DatabaseQueue(path: directory.data.journalPath)
            try raw.inDatabase { try $0.execute(sql: "PRAGMA user_version = 99") }
        }
        #expect {
            _ = try PunchJournal(directory.data)
        } throws: { ($0 as? JournalError)?.kind == .newerSchema }
        #expect {
            _ = try JournalReader(directory.data)
        } throws: { ($0 as? JournalError)?.kind == .newerSchema }
        let raw = try DatabaseQueue(path: directory.data.journalPath)
        #expect(try raw.inDatabase { try JournalSchema.version(of: $0) } == 99)
    }

    @Test("an older journal is brought to the newest version, step by step, and keeps its rows")
    func migration() throws {
        let raw = try DatabaseQueue()
        let first = "CREATE TABLE a (x); INSERT INTO a VALUES (1)"
        let second = "ALTER TABLE a ADD COLUMN y DEFAULT 5"
        try raw.inDatabase { try JournalSchema.migrate($0, path: "x", versions: [first]) }
        #expect(try raw.inDatabase { try JournalSchema.version(of: $0) } == 1)
        try raw.inDatabase { try JournalSchema.migrate($0, path: "x", versions: [first, second]) }
        #expect(try raw.inDatabase { try JournalSchema.version(of: $0) } == 2)
        #expect(try raw.inDatabase { try Int.fetchOne($0, sql: "SELECT x + y FROM a") } == 6)
        try raw.inDatabase { try JournalSchema.migrate($0, path: "x", versions: [first, second]) }
    }

    @Test("a migration that fails leaves the version before it")
    func failedMigration() throws {
        let raw = try DatabaseQueue()
        let versions = ["CREATE TABLE a (x)", "CREATE TABLE b (x); this is no SQL"]
        #expect(throws: (any Error).self) {
            try raw.inDatabase { try JournalSchema.migrate($0, path: "x", versions: versions) }
        }
        #expect(try raw.inDatabase { try JournalSchema.version(of: $0) } == 1)
        #expect(try raw.inDatabase { try $0.tableExists("a") })
        #expect(try raw.inDatabase { try !$0.tableExists("b") })
    }

    @Test("a journal of version 1 opens, whatever version is the newest")
    func versionOne() async throws {
        let lobby = try device("lobby")
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        do {
            let raw = try DatabasePool(path: directory.data.journalPath)
            try await raw.writeWithoutTransaction { database in
                try JournalSchema.migrate(database, path: "x", versions: Array(JournalSchema.versions.prefix(1)))
                try database.execute(sql: "INSERT INTO devices (name, cursor) VALUES ('lobby', x'0102')")
            }
        }
        let journal = try PunchJournal(directory.data)
        #expect(try await journal.cursor(for: lobby)?.cursor.bytes == [1, 2])
        #expect(try await journal.commit(entry(lobby, [try punch(lobby, second: 1)])).journaled == 1)
    }

    @Test("a reader works where the last host closed the journal, and leaves it usable")
    func readerWithoutLog() async throws {
        let lobby = try device("lobby")
        do {
            let journal = try PunchJournal(directory.data)
            _ = try await journal.commit(entry(lobby, [try punch(lobby, second: 1)]))
        }
        #expect(!FileManager.default.fileExists(atPath: directory.data.journalPath + "-wal"))
        do {
            let reader = try JournalReader(directory.data)
            #expect(try await reader.count() == 1)
            let next = try PunchJournal(directory.data)
            _ = try await next.commit(entry(lobby, [try punch(lobby, second: 2)]))
            #expect(try await reader.count() == 2)
        }
        #expect(try await JournalReader(directory.data).count() == 2)
    }

    @Test("a file that is no database is refused")
    func garbage() throws {
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        try Data(repeating: 0x41, count: 8_192).write(to: URL(fileURLWithPath: directory.data.journalPath))
        #expect(throws: JournalError.self) { _ = try PunchJournal(directory.data) }
    }
}
