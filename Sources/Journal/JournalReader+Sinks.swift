public import DeviceKit
internal import GRDB

/// What a sink gets next.
public struct DeliverablePage: Sendable, Hashable {
    /// In journal order.
    public var punches: [JournaledPunch]
    /// Everything of the devices up to here is in ``punches``, or is not to be delivered.
    public var scannedTo: Int64
    /// The limit ended the search: there may be more behind ``scannedTo``.
    public var isCut: Bool

    public init(punches: [JournaledPunch], scannedTo: Int64, isCut: Bool = false) {
        self.punches = punches
        self.scannedTo = scannedTo
        self.isCut = isCut
    }
}

extension JournalReader {
    /// Valid punches of some devices after a position, in journal order.
    /// - Parameters:
    ///   - through: the last position to look at; `nil` for the end of the journal.
    ///   - limit: at most so many punches, 1 or more.
    ///   - includingInvalid: punches with an implausible time, too.
    public func deliverable(
        after position: Int64, through end: Int64? = nil, devices: Set<DeviceID>, limit: Int,
        includingInvalid: Bool = false
    ) async throws(JournalError) -> DeliverablePage {
        let names = devices.map(\.name).sorted()
        let marks = databaseQuestionMarks(count: names.count)
        return try await read { database in
            let last = try min(end ?? .max, Self.latestPosition(database))
            let punches = try Row.fetchCursor(
                database,
                sql: """
                    SELECT \(PunchRow.columns) FROM punches NOT INDEXED
                    CROSS JOIN devices ON devices.id = punches.device
                    WHERE position > ? AND position <= ? AND (is_valid OR ?) AND name IN (\(marks))
                    ORDER BY position LIMIT \(max(limit, 1))
                    """, arguments: [position, last, includingInvalid] + StatementArguments(names)
            ).collect(upTo: max(limit, 1), byteCount: Self.largestPage)
            let isFull = punches.count >= max(limit, 1) || punches.byteCount >= Self.largestPage
            return DeliverablePage(
                punches: punches, scannedTo: max(position, isFull ? punches.last?.position ?? last : last),
                isCut: isFull)
        }
    }

    /// A page ends with the punch with which its texts reach so many bytes, so that its memory has a bound whatever devices
    /// say beside their punches.
    static let largestPage = 8 << 20

    /// Punches that a sink is to get again, the oldest first.
    public func redeliverable(to sink: String, limit: Int) async throws(JournalError) -> [JournaledPunch] {
        try await read { database in
            try Row.fetchCursor(
                database,
                sql: """
                    SELECT \(PunchRow.columns) FROM redeliveries
                    CROSS JOIN punches USING (position) CROSS JOIN devices ON devices.id = punches.device
                    WHERE sink = ? ORDER BY position LIMIT \(max(limit, 1))
                    """, arguments: [sink]
            ).collect(upTo: max(limit, 1), byteCount: Self.largestPage)
        }
    }

    /// How far a sink has been served; `nil` before its first delivery.
    public func sinkProgress(_ sink: String) async throws(JournalError) -> SinkProgress? {
        try await read { try Self.progress(of: sink, $0) }
    }

    /// Every sink that the journal has met, by name.
    public func sinks() async throws(JournalError) -> [SinkStatus] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT name, delivered, failing_since, last_error,
                        (SELECT count(*) FROM dead_letters WHERE dead_letters.sink = sinks.name
                            AND discarded_at IS NULL)
                    FROM sinks ORDER BY name
                    """
            ).map { row in
                let since: Int64? = row[2]
                return SinkStatus(
                    name: row[0], progress: try Self.progress(of: row[0], database) ?? SinkProgress(),
                    deliveredCount: row[1], deadLetterCount: row[4],
                    failingSince: since.map { Instant(millisecondsSince1970: $0) }, lastError: row[3])
            }
        }
    }

    /// How many punches of some devices a sink has still to get, and when the oldest of them arrived.
    public func backlog(
        of sink: String, devices: Set<DeviceID>
    ) async throws(JournalError) -> (count: Int, oldest: Instant?) {
        try await read { database in
            let progress = try Self.progress(of: sink, database) ?? SinkProgress()
            var count = 0
            var oldest: Int64?
            // Few positions: most devices follow their sink.
            for (position, group) in Dictionary(grouping: devices, by: { progress.position(of: $0) }) {
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT count(*), min(received_at) FROM punches NOT INDEXED
                        CROSS JOIN devices ON devices.id = punches.device
                        WHERE position > ? AND is_valid AND name IN (\(databaseQuestionMarks(count: group.count)))
                        """, arguments: [position] + StatementArguments(group.map(\.name)))
                guard let row else { continue }
                count += row[0]
                if let received: Int64 = row[1] { oldest = min(oldest ?? received, received) }
            }
            return (count, oldest.map { Instant(millisecondsSince1970: $0) })
        }
    }

    /// What sinks refused for good, newest first.
    /// - Parameter sink: `nil` for all sinks.
    public func deadLetters(
        of sink: String? = nil, includingDiscarded: Bool = false, limit: Int
    ) async throws(JournalError) -> [DeadLetter] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT \(PunchRow.columns), reason, rejected_at, attempts, discarded_at, dead_letters.sink AS target,
                        EXISTS (SELECT 1 FROM redeliveries WHERE redeliveries.sink = dead_letters.sink
                            AND redeliveries.position = dead_letters.position) AS retrying
                    FROM dead_letters
                    CROSS JOIN punches USING (position) CROSS JOIN devices ON devices.id = punches.device
                    WHERE (dead_letters.sink = ?1 OR ?1 IS NULL) AND (discarded_at IS NULL OR ?2)
                    ORDER BY position DESC LIMIT \(max(limit, 0))
                    """, arguments: [sink, includingDiscarded]
            ).map { row in
                let isRetrying: Bool = row["retrying"]
                let discardedAt: Int64? = row["discarded_at"]
                return DeadLetter(
                    sink: row["target"], punch: try PunchRow.decode(row), reason: row["reason"],
                    rejectedAt: Instant(millisecondsSince1970: row["rejected_at"]), attempts: row["attempts"],
                    state: isRetrying ? .retrying : discardedAt == nil ? .parked : .discarded)
            }
        }
    }

    private static func progress(of sink: String, _ database: Database) throws -> SinkProgress? {
        let stored = try Int64.fetchOne(database, sql: "SELECT position FROM sinks WHERE name = ?", arguments: [sink])
        guard let position = stored else { return nil }
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT name, position FROM sink_devices JOIN devices ON devices.id = sink_devices.device
                WHERE sink = ?
                """, arguments: [sink])
        let lanes = rows.compactMap { row -> (DeviceID, SinkProgress.Lane)? in
            guard let device = DeviceID(row[0] as String) else { return nil }
            let own: Int64? = row[1]
            return (device, own.map { .behind($0) } ?? .following)
        }
        return SinkProgress(position: position, lanes: Dictionary(lanes, uniquingKeysWith: { first, _ in first }))
    }
}
