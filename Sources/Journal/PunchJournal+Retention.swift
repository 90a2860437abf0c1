public import DeviceKit
internal import GRDB

/// What a journal may forget.
public struct RetentionRule: Sendable, Hashable {
    /// Punches that the host received before this.
    public var receivedBefore: Instant
    /// The position up to which every sink has been served, by device; a device that is not named keeps everything.
    /// A device without a sink has `Int64.max`.
    public var served: [DeviceID: Int64]
    /// Also what a sink has not got. Such punches are lost to it.
    public var includesUndelivered: Bool

    public init(receivedBefore: Instant, served: [DeviceID: Int64], includesUndelivered: Bool = false) {
        self.receivedBefore = receivedBefore
        self.served = served
        self.includesUndelivered = includesUndelivered
    }
}

/// What one step of forgetting did.
public struct RetentionStep: Sendable, Hashable {
    public var forgotten = 0
    /// Of those, how many a sink had not got.
    public var undelivered = 0
    /// Where to go on; `nil` when the rule has nothing more.
    public var next: Int64?

    public init() {}
}

extension PunchJournal {
    /// Bytes that the journal's rows take, free pages left out.
    public func usedByteCount() async throws(JournalError) -> Int { try await reader.usedByteCount() }

    /// Forgets punches, the oldest first, a thousand at a time so that captures do not wait. Their identities stay, so
    /// that a device that sends them again brings nothing new.
    /// - Parameter after: the ``RetentionStep/next`` of the step before; 0 to begin.
    public func forget(_ rule: RetentionRule, after: Int64) async throws(JournalError) -> RetentionStep {
        try await value { database, _ in
            let candidates = try Row.fetchAll(
                database,
                sql: """
                    SELECT position, name, received_at,
                        EXISTS (SELECT 1 FROM dead_letters WHERE dead_letters.position = punches.position
                            AND discarded_at IS NULL)
                        OR EXISTS (SELECT 1 FROM redeliveries WHERE redeliveries.position = punches.position)
                    FROM punches NOT INDEXED CROSS JOIN devices ON devices.id = punches.device
                    WHERE position > ? ORDER BY position LIMIT 1000
                    """, arguments: [after])
            var step = RetentionStep()
            var positions: [Int64] = []
            var hasOld = false
            for row in candidates {
                let position: Int64 = row[0]
                // Positions and times of arrival grow together, but for a while in which the host's clock was wrong.
                guard (row[2] as Int64) < rule.receivedBefore.millisecondsSince1970 else { continue }
                hasOld = true
                let served = DeviceID(row[1] as String).flatMap { rule.served[$0] } ?? 0
                let isDelivered = position <= served && !(row[3] as Bool)
                guard isDelivered || rule.includesUndelivered else { continue }
                positions.append(position)
                if !isDelivered { step.undelivered += 1 }
            }
            step.forgotten = positions.count
            if hasOld, candidates.count == 1_000 { step.next = candidates.last?[0] }
            try Self.forget(positions, database)
            return step
        }
    }

    private static func forget(_ positions: [Int64], _ database: Database) throws {
        guard !positions.isEmpty else { return }
        let list = "[" + positions.map { String($0) }.joined(separator: ",") + "]"
        let chosen = "position IN (SELECT value FROM json_each(?))"
        try database.execute(
            sql: """
                INSERT INTO forgotten (device, time, code) SELECT device, time, code FROM punches WHERE \(chosen)
                ON CONFLICT DO NOTHING
                """, arguments: [list])
        for table in ["dead_letters", "redeliveries", "punches"] {
            try database.execute(sql: "DELETE FROM \(table) WHERE \(chosen)", arguments: [list])
        }
    }
}
