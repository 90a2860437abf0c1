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

    @Test("a file that is no database is refused")
    func garbage() throws {
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        try Data(repeating: 0x41, count: 8_192).write(to: URL(fileURLWithPath: directory.data.journalPath))
        #expect(throws: JournalError.self) { _ = try PunchJournal(directory.data) }
    }
}
