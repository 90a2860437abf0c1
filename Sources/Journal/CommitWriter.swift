internal import DeviceKit
internal import GRDB
internal import Synchronization

/// Writes one entry inside a transaction that is open.
enum CommitWriter {
    static func write(_ entry: JournalEntry, to database: Database, devices: DeviceKeys) throws -> CommitReceipt {
        let device = try devices.key(of: entry.device, in: database)
        let journaled = try insert(entry.punches, device: device, database)
        let rejected = try insert(entry.rejected, device: device, at: entry.receivedAt, database)
        try moveCursor(entry, device: device, database)
        let duplicates = entry.punches.count - journaled
        try count(entry, journaled: journaled, duplicates: duplicates, device: device, database)
        return CommitReceipt(
            journaled: journaled, duplicates: duplicates, rejected: rejected,
            position: try Int64.fetchOne(database, sql: "SELECT max(position) FROM punches") ?? 0)
    }

    private static func insert(_ punches: [Punch], device: Int64, _ database: Database) throws -> Int {
        guard !punches.isEmpty else { return 0 }
        var insertPunch = try PunchInsert(database, device: device)
        let before = database.totalChangesCount
        for punch in punches { try insertPunch(punch) }
        return database.totalChangesCount - before
    }

    /// The same bytes are kept once, however often the log is read.
    private static func insert(
        _ rejected: [RejectedRecord], device: Int64, at receivedAt: Instant, _ database: Database
    ) throws -> Int {
        guard !rejected.isEmpty else { return 0 }
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO rejected_records (device, reason, bytes, received_at) VALUES (?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """)
        for record in rejected {
            try statement.execute(
                arguments: [device, record.reason, DatabaseBytes(record.bytes), receivedAt.millisecondsSince1970])
        }
        return rejected.count
    }

    private static func moveCursor(_ entry: JournalEntry, device: Int64, _ database: Database) throws {
        switch entry.cursor {
        case .keep: break
        case .set(let cursor, let floor, let logTime):
            try database.execute(
                sql: "UPDATE devices SET cursor = ?, floor = ?, log_time = ifnull(?, log_time) WHERE id = ?",
                arguments: [DatabaseBytes(cursor.bytes), floor?.wallSeconds, logTime?.millisecondsSince1970, device])
        case .clear:
            try database.execute(
                sql: "UPDATE devices SET cursor = NULL, floor = NULL, log_time = NULL WHERE id = ?",
                arguments: [device])
        }
        if entry.beginsEpoch {
            try database.execute(sql: "UPDATE devices SET epoch = epoch + 1 WHERE id = ?", arguments: [device])
        }
    }

    private static func count(
        _ entry: JournalEntry, journaled: Int, duplicates: Int, device: Int64, _ database: Database
    ) throws {
        guard !entry.punches.isEmpty || !entry.rejected.isEmpty else { return }
        try database.execute(
            sql: """
                UPDATE devices SET received = received + ?, journaled = journaled + ?, duplicates = duplicates + ?,
                    rejected = rejected + ? WHERE id = ?
                """,
            arguments: [
                entry.punches.count + entry.rejected.count, journaled, duplicates, entry.rejected.count, device,
            ])
    }
}

/// The small integers that stand for device names in the rows.
final class DeviceKeys: Sendable {
    private let known = Mutex<[DeviceID: Int64]>([:])

    func key(of device: DeviceID, in database: Database) throws -> Int64 {
        if let key = known.withLock({ $0[device] }) { return key }
        try database.execute(
            sql: "INSERT INTO devices (name) VALUES (?) ON CONFLICT DO NOTHING", arguments: [device.name])
        let found = try Int64.fetchOne(
            database, sql: "SELECT id FROM devices WHERE name = ?", arguments: [device.name])
        guard let key = found else { throw JournalError(.fatal, "the journal lost the device \(device.name)") }
        known.withLock { $0[device] = key }
        return key
    }

    /// After a transaction that was rolled back: a key that it made does not exist.
    func forgetAll() { known.withLock { $0.removeAll() } }
}
