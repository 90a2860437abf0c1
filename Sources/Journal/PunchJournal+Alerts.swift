public import DeviceKit
internal import GRDB

/// A piece of what alerts remember. The journal does not look into it.
public struct StoredAlertPart: Sendable, Hashable {
    public var kind: String
    public var name: String
    /// JSON.
    public var text: String

    public init(kind: String, name: String, text: String) {
        self.kind = kind
        self.name = name
        self.text = text
    }
}

extension PunchJournal {
    /// Writes and removes parts in one transaction.
    /// - Parameters:
    ///   - removed: by kind and name; their texts do not matter.
    ///   - bounded: a kind of which the newest by name are kept, so many.
    public func saveAlertParts(
        _ written: [StoredAlertPart], removing removed: [StoredAlertPart], bounded: (kind: String, count: Int)? = nil
    ) async throws(JournalError) {
        try await change { database, _ in
            for part in removed {
                try database.execute(
                    sql: "DELETE FROM alert_parts WHERE kind = ? AND name = ?", arguments: [part.kind, part.name])
            }
            for part in written {
                try database.execute(
                    sql: """
                        INSERT INTO alert_parts (kind, name, text) VALUES (?, ?, ?)
                        ON CONFLICT (kind, name) DO UPDATE SET text = excluded.text
                        """, arguments: [part.kind, part.name, part.text])
            }
            guard let bounded, written.contains(where: { $0.kind == bounded.kind }) else { return }
            try database.execute(
                sql: """
                    DELETE FROM alert_parts WHERE kind = ? AND name <= (
                        SELECT name FROM alert_parts WHERE kind = ? ORDER BY name DESC LIMIT 1 OFFSET ?)
                    """, arguments: [bounded.kind, bounded.kind, bounded.count])
        }
    }
}

extension JournalReader {
    /// Parts of some kinds, by kind, then the newest names first.
    /// - Parameter limit: of each kind; `nil` for all.
    public func alertParts(kinds: [String], limit: Int? = nil) async throws(JournalError) -> [StoredAlertPart] {
        try await read { database in
            try kinds.flatMap { kind in
                try Row.fetchAll(
                    database,
                    sql: "SELECT kind, name, text FROM alert_parts WHERE kind = ? ORDER BY name DESC LIMIT ?",
                    arguments: [kind, limit.map { max($0, 0) } ?? -1]
                ).map { StoredAlertPart(kind: $0[0], name: $0[1], text: $0[2]) }
            }
        }
    }

    /// When the oldest punch arrived that a sink has still to get; `nil` when it has all.
    public func oldestWaiting(
        for sink: String, devices: Set<DeviceID>
    ) async throws(JournalError) -> Instant? {
        let progress = try await sinkProgress(sink) ?? SinkProgress()
        return try await read { database in
            var oldest: Int64?
            for (position, group) in Dictionary(grouping: devices, by: { progress.position(of: $0) }) {
                let received = try Int64.fetchOne(
                    database,
                    sql: """
                        SELECT received_at FROM punches NOT INDEXED
                        CROSS JOIN devices ON devices.id = punches.device
                        WHERE position > ? AND is_valid AND name IN (\(databaseQuestionMarks(count: group.count)))
                        ORDER BY position LIMIT 1
                        """, arguments: [position] + StatementArguments(group.map(\.name)))
                if let received { oldest = min(oldest ?? received, received) }
            }
            return oldest.map { Instant(millisecondsSince1970: $0) }
        }
    }

    /// Punches with an impossible time that devices sent after a position: for each device the last of them.
    /// - Returns: the newest position of the journal with them.
    public func invalidPunches(
        after position: Int64
    ) async throws(JournalError) -> (through: Int64, last: [DeviceID: JournaledPunch]) {
        try await read { database in
            let through = try Self.latestPosition(database)
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT \(PunchRow.columns) FROM punches JOIN devices ON devices.id = punches.device
                    WHERE position > ? AND position <= ? AND NOT is_valid AND source <> 'import'
                    ORDER BY position DESC LIMIT 1000
                    """, arguments: [position, through])
            var last: [DeviceID: JournaledPunch] = [:]
            for row in rows {
                let punch = try PunchRow.decode(row)
                if last[punch.punch.device] == nil { last[punch.punch.device] = punch }
            }
            return (through, last)
        }
    }
}
