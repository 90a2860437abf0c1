public import DeviceKit
internal import GRDB

extension PunchJournal {
    /// How far a sink has been served; `nil` before its first delivery.
    public func sinkProgress(_ sink: String) async throws(JournalError) -> SinkProgress? {
        try await reader.sinkProgress(sink)
    }

    /// Stores what a delivery changed: position, lanes, counts and dead letters in one transaction.
    public func saveDelivery(
        _ delivery: SinkDelivery, sink: String, at now: Instant
    ) async throws(JournalError) {
        try await change { database, devices in
            try Self.settle(delivery, sink: sink, at: now, database)
            let statement = try database.cachedStatement(
                sql: """
                    INSERT INTO sinks (name, position, delivered) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE
                    SET position = max(position, excluded.position), delivered = delivered + excluded.delivered
                    """)
            try statement.execute(arguments: [sink, delivery.position, delivery.delivered])
            for (device, lane) in delivery.lanes { try Self.save(lane, of: device, sink: sink, database, devices) }
        }
    }

    /// Keeps for the command line that deliveries fail, or with two `nil` that they work again.
    public func saveSinkHealth(
        _ sink: String, failingSince: Instant?, lastError: String?
    ) async throws(JournalError) {
        try await change { database, _ in
            try database.execute(
                sql: """
                    INSERT INTO sinks (name, failing_since, last_error) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE
                    SET failing_since = excluded.failing_since, last_error = excluded.last_error
                    """, arguments: [sink, failingSince?.millisecondsSince1970, lastError])
        }
    }

    /// Letters that were delivered after all are gone; what was refused is one, counted up when it was one before.
    private static func settle(_ delivery: SinkDelivery, sink: String, at now: Instant, _ database: Database) throws {
        guard !delivery.redelivered.isEmpty || !delivery.rejected.isEmpty else { return }
        let refused = Set(delivery.rejected.map(\.position))
        let settled = try database.cachedStatement(sql: "DELETE FROM redeliveries WHERE sink = ? AND position = ?")
        let delivered = try database.cachedStatement(sql: "DELETE FROM dead_letters WHERE sink = ? AND position = ?")
        for position in delivery.redelivered {
            try settled.execute(arguments: [sink, position])
            if !refused.contains(position) { try delivered.execute(arguments: [sink, position]) }
        }
        // A journal that may forget what is undelivered can have forgotten the punch while the sink had it.
        let letter = try database.cachedStatement(
            sql: """
                INSERT INTO dead_letters (sink, position, reason, rejected_at)
                SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM punches WHERE position = ?2)
                ON CONFLICT (sink, position) DO UPDATE SET reason = excluded.reason,
                    rejected_at = excluded.rejected_at, attempts = attempts + 1, discarded_at = NULL
                """)
        for rejection in delivery.rejected {
            try letter.execute(
                arguments: [sink, rejection.position, rejection.reason, now.millisecondsSince1970])
        }
    }

    private static func save(
        _ lane: SinkProgress.Lane, of device: DeviceID, sink: String, _ database: Database, _ devices: DeviceKeys
    ) throws {
        let own: Int64?
        switch lane {
        case .following: own = nil
        case .behind(let position): own = position
        }
        try database.execute(
            sql: "INSERT OR REPLACE INTO sink_devices (sink, device, position) VALUES (?, ?, ?)",
            arguments: [sink, try devices.key(of: device, in: database), own])
    }
}

/// What a sink remembers between runs, in the journal.
public struct JournalMemory: SinkMemory {
    private let journal: PunchJournal
    private let sink: String

    public init(_ journal: PunchJournal, sink: String) {
        self.journal = journal
        self.sink = sink
    }

    public func value(_ key: String) async throws(SinkFault) -> String? {
        do throws(JournalError) {
            return try await journal.reader.read { [sink] database in
                try String.fetchOne(
                    database, sql: "SELECT value FROM sink_memory WHERE sink = ? AND key = ?", arguments: [sink, key])
            }
        } catch {
            throw SinkFault(.transient, "the journal cannot be read: \(error.message)")
        }
    }

    public func set(_ value: String?, for key: String) async throws(SinkFault) {
        do throws(JournalError) {
            try await journal.change { [sink] database, _ in
                guard let value else {
                    return try database.execute(
                        sql: "DELETE FROM sink_memory WHERE sink = ? AND key = ?", arguments: [sink, key])
                }
                try database.execute(
                    sql: "INSERT OR REPLACE INTO sink_memory (sink, key, value) VALUES (?, ?, ?)",
                    arguments: [sink, key, value])
            }
        } catch {
            throw SinkFault(.transient, "the journal cannot be written: \(error.message)")
        }
    }
}
