internal import DeviceKit
internal import GRDB

/// Opens the database the way the promise needs it, and turns its errors into the journal's.
enum JournalDatabase {
    /// - Parameter readsWhileWriting: with connections of their own for readers; they cost two syncs more at the opening.
    static func openForWriting(
        _ path: String, readsWhileWriting: Bool
    ) throws(JournalError) -> any DatabaseWriter {
        do {
            var configuration = Configuration()
            configuration.label = "journal"
            configuration.busyMode = .timeout(30)
            configuration.maximumReaderCount = 4
            let writer: any DatabaseWriter =
                readsWhileWriting
                ? try DatabasePool(path: path, configuration: configuration)
                : try DatabaseQueue(path: path, configuration: configuration)
            try writer.writeWithoutTransaction { try setUp($0, path: path) }
            return writer
        } catch {
            throw journalError(error, path: path)
        }
    }

    private static func setUp(_ database: Database, path: String) throws {
        // A queue leaves the mode to the file, and the file may be new.
        try database.execute(sql: "PRAGMA journal_mode = WAL")
        // Set here and not while the connection is prepared: opening a pool in WAL mode changes it again.
        try database.execute(sql: "PRAGMA synchronous = FULL")
        // A checkpoint every 4 MiB keeps the WAL small and its cost even.
        try database.execute(sql: "PRAGMA wal_autocheckpoint = 1000")
        try database.execute(sql: "PRAGMA journal_size_limit = 16777216")
        try database.execute(sql: "PRAGMA cache_size = -16384")
        try JournalSchema.migrate(database, path: path)
        try checkDurability(database)
    }

    static func openForReading(_ path: String) throws(JournalError) -> DatabaseQueue {
        do {
            var configuration = Configuration()
            configuration.label = "journal-reader"
            configuration.busyMode = .timeout(5)
            // A WAL database can only be read with its shared-memory file, which a reader may have to make.
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.inDatabase { database in
                try database.execute(sql: "PRAGMA query_only = ON")
                let version = try JournalSchema.version(of: database)
                guard version <= JournalSchema.newestVersion else {
                    throw JournalError(
                        .newerSchema,
                        "\(path) has schema version \(version), newer than this muster knows: use a newer muster")
                }
                guard version == JournalSchema.newestVersion else {
                    throw JournalError(
                        .missing,
                        version == 0
                            ? "\(path) holds no journal yet: start the host once with muster run"
                            : "\(path) was made by an older muster: start the host once with muster run to bring it up to date"
                    )
                }
            }
            return queue
        } catch {
            throw journalError(error, path: path)
        }
    }

    /// What an acknowledgement rests on: the write-ahead log, synced at every commit.
    static func checkDurability(_ database: Database) throws {
        let synchronous = try Int.fetchOne(database, sql: "PRAGMA synchronous")
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode")
        guard synchronous == 2, mode == "wal" else {
            throw JournalError(
                .unavailable,
                "the journal would not be synced (synchronous \(synchronous ?? -1), mode \(mode ?? "none")): refusing to run"
            )
        }
    }

    /// Runs short work to its end although the caller may be cancelled, and turns its error into the journal's.
    ///
    /// The database library gives up at a cancellation, in the middle of a transaction too; a host that is told to stop
    /// still has positions and states to store.
    static func uncancelled<Value: Sendable>(
        path: String, _ work: @escaping @Sendable () async throws -> Value
    ) async throws(JournalError) -> Value {
        do {
            return try await Task { try await work() }.value
        } catch {
            throw journalError(error, path: path)
        }
    }

    static func journalError(_ error: any Error, path: String) -> JournalError {
        if let known = error as? JournalError { return known }
        guard let error = error as? DatabaseError else { return JournalError(.fatal, "\(path): \(error)") }
        let text = "\(path): \(error.message ?? "SQLite error") (\(error.extendedResultCode.rawValue))"
        switch error.resultCode {
        case .SQLITE_FULL: return JournalError(.full, "no room left for the journal: \(text)")
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_NOTADB, .SQLITE_BUSY:
            return JournalError(.unavailable, text)
        default: return JournalError(.fatal, "writing the journal failed: \(text)")
        }
    }
}
