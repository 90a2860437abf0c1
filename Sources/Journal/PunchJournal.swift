public import DeviceKit
internal import Foundation
internal import GRDB
internal import Synchronization

/// The host's durable store: every punch once, in source order per device, with the cursor that covers it.
///
/// One process writes; it holds the data directory's lock. ``JournalReader`` reads beside it.
public final class PunchJournal: Sendable {
    public let directory: DataDirectory
    /// Queries over everything that is committed.
    public let reader: JournalReader

    private let database: any DatabaseWriter
    private let lock: DataDirectoryLock
    private let devices: DeviceKeys
    private let trust: JournalTrust
    private let queue: CommitQueue
    private let signal: ChangeSignal

    /// Opens the journal, making or migrating it as needed.
    /// - Throws: ``JournalError/Kind/unavailable`` when another host owns the directory or it cannot be used,
    ///   ``JournalError/Kind/newerSchema``.
    public convenience init(_ directory: DataDirectory) throws(JournalError) {
        try self.init(DataDirectoryLock(directory))
    }

    /// As ``init(_:)-(DataDirectory)``, in a directory that the caller has claimed already.
    /// - Parameter readsWhileWriting: queries do not wait for commits. A process that does one thing and ends needs no
    ///   such connections, and opens the journal faster without them.
    public init(_ lock: DataDirectoryLock, readsWhileWriting: Bool = true) throws(JournalError) {
        let directory = lock.directory
        let database = try JournalDatabase.openForWriting(
            directory.journalPath, readsWhileWriting: readsWhileWriting)
        let signal = ChangeSignal()
        let path = directory.journalPath
        let devices = DeviceKeys()
        let trust = JournalTrust()
        self.directory = directory
        self.database = database
        self.lock = lock
        self.devices = devices
        self.trust = trust
        self.signal = signal
        reader = JournalReader(database, path: path)
        queue = CommitQueue { entries in
            do throws(JournalError) {
                let receipts = try await Self.transaction(database, devices, trust, path: path) { database, devices in
                    try entries.map { try CommitWriter.write($0, to: database, devices: devices) }
                }
                signal.send()
                return .success(receipts)
            } catch {
                return .failure(error)
            }
        }
    }

    /// Returns once the entry is on stable storage.
    ///
    /// A copy of a punch that the journal has already is counted and not stored. When the calling task is cancelled the
    /// commit still runs to its end, because it may share its transaction with others.
    /// - Throws: ``JournalError/Kind/full`` when nothing of it was stored, ``JournalError/Kind/fatal`` when the process
    ///   must stop.
    public func commit(_ entry: JournalEntry) async throws(JournalError) -> CommitReceipt {
        try await queue.commit(entry).get()
    }

    /// Returns once the writing connection has answered. Writes nothing, so that a full disk does not matter.
    public func ping() async throws(JournalError) { try await change { _, _ in } }

    /// Where to read a device's log on; `nil` before its first page.
    public func cursor(for device: DeviceID) async throws(JournalError) -> StoredCursor? {
        try await reader.cursor(for: device)
    }

    /// Keeps what is known of a device's state, for the command line and the next start.
    public func saveStatus(_ status: DeviceStatus) async throws(JournalError) {
        let text = StatusCoding.encode(status)
        try await change { database, _ in
            try database.execute(
                sql: """
                    INSERT INTO devices (name, status) VALUES (?, ?)
                    ON CONFLICT (name) DO UPDATE SET status = excluded.status
                    """, arguments: [status.device.name, text])
        }
    }

    /// Returns at once when something was committed since `generation`, else at the next commit.
    /// - Throws: `CancellationError`.
    public func waitForChange(since generation: UInt64) async throws(CancellationError) {
        try await signal.wait(since: generation)
    }

    /// Grows with every commit. Read it before looking for punches, then wait for it to grow.
    public var generation: UInt64 { signal.generation }

    /// How many transactions have been written.
    var transactionCount: Int { get async { await queue.transactionCount } }

    /// What `PRAGMA synchronous` says on the writing connection.
    func writerSynchronousMode() throws -> Int? {
        try database.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
    }

    /// Limits the database's size in pages, so that a test can fill it.
    package func limitPageCount(_ count: Int) throws {
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(count)") }
    }

    /// Runs `body` in a transaction of its own.
    func change(
        _ body: @escaping @Sendable (Database, DeviceKeys) throws -> Void
    ) async throws(JournalError) {
        try await value(body)
    }

    /// Runs `body` in a transaction of its own and answers what it answers.
    func value<Value: Sendable>(
        _ body: @escaping @Sendable (Database, DeviceKeys) throws -> Value
    ) async throws(JournalError) -> Value {
        try await Self.transaction(database, devices, trust, path: directory.journalPath, body)
    }

    private static func transaction<Value: Sendable>(
        _ database: any DatabaseWriter, _ devices: DeviceKeys, _ trust: JournalTrust, path: String,
        _ body: @escaping @Sendable (Database, DeviceKeys) throws -> Value
    ) async throws(JournalError) -> Value {
        try await JournalDatabase.uncancelled(path: path) {
            try await database.writeWithoutTransaction { database in
                do {
                    try trust.check()
                    var value: Value?
                    try database.inTransaction {
                        value = try body(database, devices)
                        return .commit
                    }
                    guard let value else { throw JournalError(.fatal, "\(path): a transaction gave no answer") }
                    return value
                } catch {
                    // Still alone on the writing connection: nobody has seen a key that was rolled back.
                    devices.forgetAll()
                    trust.note(error, path: path)
                    throw error
                }
            }
        }
    }
}
