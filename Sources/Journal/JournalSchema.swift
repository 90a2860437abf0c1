internal import GRDB

/// All SQL that makes or changes tables. A version is never edited once it was released: a later one is added.
enum JournalSchema {
    /// Versions in order; their number is their place from 1.
    static let versions: [String] = [
        """
        CREATE TABLE devices (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            received INTEGER NOT NULL DEFAULT 0,
            journaled INTEGER NOT NULL DEFAULT 0,
            duplicates INTEGER NOT NULL DEFAULT 0,
            rejected INTEGER NOT NULL DEFAULT 0,
            cursor BLOB,
            floor INTEGER,
            epoch INTEGER NOT NULL DEFAULT 1,
            status TEXT
        );
        CREATE TABLE punches (
            position INTEGER PRIMARY KEY AUTOINCREMENT,
            device INTEGER NOT NULL REFERENCES devices (id),
            time INTEGER NOT NULL,
            code TEXT NOT NULL,
            local_time INTEGER NOT NULL,
            direction TEXT NOT NULL,
            direction_raw INTEGER NOT NULL,
            verification TEXT NOT NULL,
            verification_raw INTEGER NOT NULL,
            work_code TEXT,
            source TEXT NOT NULL,
            received_at INTEGER NOT NULL,
            is_valid INTEGER NOT NULL,
            notes TEXT NOT NULL,
            raw TEXT NOT NULL
        );
        -- The order matters: with the time before the code, inserts land at the end of each device's range.
        CREATE UNIQUE INDEX punch_identity ON punches (device, time, code);
        CREATE TABLE rejected_records (
            id INTEGER PRIMARY KEY,
            device INTEGER NOT NULL REFERENCES devices (id),
            reason TEXT NOT NULL,
            bytes BLOB NOT NULL,
            received_at INTEGER NOT NULL,
            UNIQUE (device, bytes)
        );
        CREATE TABLE sinks (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL DEFAULT 0,
            delivered INTEGER NOT NULL DEFAULT 0,
            failing_since INTEGER,
            last_error TEXT
        ) WITHOUT ROWID;
        -- A device that follows its sink's position has NULL here; one that joined later or has left has its own.
        CREATE TABLE sink_devices (
            sink TEXT NOT NULL,
            device INTEGER NOT NULL REFERENCES devices (id),
            position INTEGER,
            PRIMARY KEY (sink, device)
        ) WITHOUT ROWID;
        CREATE TABLE dead_letters (
            sink TEXT NOT NULL,
            position INTEGER NOT NULL REFERENCES punches (position),
            reason TEXT NOT NULL,
            rejected_at INTEGER NOT NULL,
            PRIMARY KEY (sink, position)
        ) WITHOUT ROWID;
        """,
        """
        -- The instant of the last record that was read from the device's log.
        ALTER TABLE devices ADD COLUMN log_time INTEGER;
        -- Punches that a sink gets again, besides what follows its position: replays, and dead letters that are retried.
        CREATE TABLE redeliveries (
            sink TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (sink, position)
        ) WITHOUT ROWID;
        ALTER TABLE dead_letters ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
        -- Somebody decided that this letter is of no use; it stays for the record.
        ALTER TABLE dead_letters ADD COLUMN discarded_at INTEGER;
        CREATE INDEX dead_letter_position ON dead_letters (position);
        CREATE INDEX redelivery_position ON redeliveries (position);
        -- What is left of punches that were kept long enough: a device that sends them again brings nothing new.
        CREATE TABLE forgotten (
            device INTEGER NOT NULL REFERENCES devices (id),
            time INTEGER NOT NULL,
            code TEXT NOT NULL,
            PRIMARY KEY (device, time, code)
        ) WITHOUT ROWID;
        -- What sinks remember between runs.
        CREATE TABLE sink_memory (
            sink TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (sink, key)
        ) WITHOUT ROWID;
        -- How far an import from elsewhere has come.
        CREATE TABLE imports (
            source TEXT PRIMARY KEY,
            place TEXT NOT NULL
        ) WITHOUT ROWID;
        """,
        """
        -- What alerts must not forget: each part is JSON of the alerts' own making, by its kind and its name.
        CREATE TABLE alert_parts (
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (kind, name)
        ) WITHOUT ROWID;
        """,
    ]

    static var newestVersion: Int { versions.count }

    /// Brings a database to the newest version, each step in a transaction of its own.
    /// - Parameter versions: what each version adds to the one before; a test hands in its own.
    static func migrate(_ database: Database, path: String, versions: [String] = Self.versions) throws {
        let version = try Self.version(of: database)
        guard version <= versions.count else {
            throw JournalError(
                .newerSchema,
                "\(path) has schema version \(version), this muster knows up to \(versions.count): use a newer muster")
        }
        for next in version..<versions.count {
            try database.inTransaction {
                try database.execute(sql: versions[next])
                try database.execute(sql: "PRAGMA user_version = \(next + 1)")
                return .commit
            }
        }
    }

    static func version(of database: Database) throws -> Int {
        try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    }
}
