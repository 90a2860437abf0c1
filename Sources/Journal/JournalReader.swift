public import DeviceKit
internal import GRDB

/// Queries over the journal. Works beside a running host.
public final class JournalReader: Sendable {
    private let database: any DatabaseReader
    private let path: String

    init(_ database: any DatabaseReader, path: String) {
        self.database = database
        self.path = path
    }

    /// Opens an existing journal for reading, without the lock.
    /// - Throws: ``JournalError/Kind/missing`` before the first start of a host.
    public convenience init(_ directory: DataDirectory) throws(JournalError) {
        guard directory.hasJournal else {
            throw JournalError(
                .missing, "there is no journal in \(directory.path) yet: muster run or muster sync makes it")
        }
        self.init(try JournalDatabase.openForReading(directory.journalPath), path: directory.journalPath)
    }

    /// Which punches a query asks for. `nil` and empty mean all.
    public struct Filter: Sendable, Hashable {
        public var device: DeviceID?
        public var code: String?
        /// Inclusive.
        public var since: Instant?
        /// Exclusive.
        public var until: Instant?
        /// Only positions above this one.
        public var afterPosition: Int64?

        public init(
            device: DeviceID? = nil, code: String? = nil, since: Instant? = nil, until: Instant? = nil,
            afterPosition: Int64? = nil
        ) {
            self.device = device
            self.code = code
            self.since = since
            self.until = until
            self.afterPosition = afterPosition
        }
    }

    public enum Order: Sendable, Hashable {
        /// By position: the order in which punches were journaled.
        case journal
        /// By position, backwards.
        case newestFirst
    }

    /// At most `limit` punches.
    public func punches(
        _ filter: Filter = Filter(), order: Order = .journal, limit: Int
    ) async throws(JournalError) -> [JournaledPunch] {
        let (condition, arguments) = Self.condition(filter)
        let direction = order == .journal ? "ASC" : "DESC"
        return try await read { database in
            try Row.fetchCursor(
                database,
                sql: """
                    SELECT \(PunchRow.columns) FROM punches JOIN devices ON devices.id = punches.device
                    WHERE \(condition) ORDER BY position \(direction) LIMIT \(max(limit, 0))
                    """, arguments: arguments
            ).collect(PunchRow.decode)
        }
    }

    /// Valid punches of some devices after a position, in journal order: what a sink gets next.
    public func deliverable(
        after position: Int64, devices: Set<DeviceID>, limit: Int
    ) async throws(JournalError) -> [JournaledPunch] {
        let names = devices.map(\.name).sorted()
        let marks = databaseQuestionMarks(count: names.count)
        return try await read { database in
            try Row.fetchCursor(
                database,
                sql: """
                    SELECT \(PunchRow.columns) FROM punches JOIN devices ON devices.id = punches.device
                    WHERE position > ? AND is_valid AND name IN (\(marks)) ORDER BY position LIMIT \(max(limit, 0))
                    """, arguments: [position] + StatementArguments(names)
            ).collect(PunchRow.decode)
        }
    }

    /// The position of the newest punch; 0 in an empty journal.
    public func latestPosition() async throws(JournalError) -> Int64 {
        try await read { try Int64.fetchOne($0, sql: "SELECT max(position) FROM punches") ?? 0 }
    }

    /// How many punches a query would find.
    public func count(_ filter: Filter = Filter()) async throws(JournalError) -> Int {
        let (condition, arguments) = Self.condition(filter)
        return try await read { database in
            try Int.fetchOne(
                database,
                sql: """
                    SELECT count(*) FROM punches JOIN devices ON devices.id = punches.device WHERE \(condition)
                    """, arguments: arguments) ?? 0
        }
    }

    public func cursor(for device: DeviceID) async throws(JournalError) -> StoredCursor? {
        try await read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT cursor, floor, epoch FROM devices WHERE name = ?", arguments: [device.name])
            guard let row, let stored: DatabaseBytes = row[0], let cursor = Cursor(bytes: stored.bytes) else {
                return nil
            }
            let floor: Int64? = row[1]
            return StoredCursor(
                cursor: cursor, floor: floor.flatMap { LocalDateTime(exactlyWallSeconds: $0) }, epoch: row[2])
        }
    }

    /// The last known status of every device that the journal has met, and what went through it.
    public func statuses() async throws(JournalError) -> [DeviceID: (status: DeviceStatus?, counters: DeviceCounters)] {
        try await read { database in
            var result: [DeviceID: (status: DeviceStatus?, counters: DeviceCounters)] = [:]
            let rows = try Row.fetchAll(
                database, sql: "SELECT name, status, received, journaled, duplicates, rejected FROM devices")
            for row in rows {
                guard let device = DeviceID(row[0] as String) else { continue }
                let text: String? = row[1]
                let counters = DeviceCounters(
                    received: row[2], journaled: row[3], duplicates: row[4], rejected: row[5])
                result[device] = (text.flatMap { StatusCoding.decode($0, device: device) }, counters)
            }
            return result
        }
    }

    public func status(for device: DeviceID) async throws(JournalError) -> DeviceStatus? {
        try await read { database in
            let text = try String.fetchOne(
                database, sql: "SELECT status FROM devices WHERE name = ?", arguments: [device.name])
            return text.flatMap { StatusCoding.decode($0, device: device) }
        }
    }

    /// How far each sink has been served.
    public func sinkPositions() async throws(JournalError) -> [String: Int64] {
        try await read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT sink, position FROM sink_positions")
            return Dictionary(rows.map { ($0[0], $0[1]) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// How many punches a sink has still to get, and the instant at which the oldest of them arrived.
    public func backlog(
        after position: Int64, devices: Set<DeviceID>
    ) async throws(JournalError) -> (count: Int, oldest: Instant?) {
        let names = devices.map(\.name).sorted()
        let marks = databaseQuestionMarks(count: names.count)
        return try await read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT count(*), min(received_at) FROM punches JOIN devices ON devices.id = punches.device
                    WHERE position > ? AND is_valid AND name IN (\(marks))
                    """, arguments: [position] + StatementArguments(names))
            guard let row else { return (0, nil) }
            let oldest: Int64? = row[1]
            return (row[0], oldest.map { Instant(millisecondsSince1970: $0) })
        }
    }

    /// How many punches each sink has refused for good.
    public func deadLetterCounts() async throws(JournalError) -> [String: Int] {
        try await read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT sink, count(*) FROM dead_letters GROUP BY sink")
            return Dictionary(rows.map { ($0[0], $0[1]) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// Records of a device that did not decode, oldest first.
    public func rejectedRecords(of device: DeviceID, limit: Int) async throws(JournalError) -> [RejectedRecord] {
        try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT reason, bytes FROM rejected_records JOIN devices ON devices.id = rejected_records.device
                    WHERE name = ? ORDER BY rejected_records.id LIMIT \(max(limit, 0))
                    """, arguments: [device.name])
            return rows.map { RejectedRecord(reason: $0[0], bytes: ($0[1] as DatabaseBytes).bytes) }
        }
    }

    private static func condition(_ filter: Filter) -> (String, StatementArguments) {
        var parts = ["1"]
        var arguments = StatementArguments()
        func add(_ part: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            parts.append(part)
            arguments += [value]
        }
        add("devices.name = ?", filter.device?.name)
        add("code = ?", filter.code)
        add("time >= ?", filter.since?.millisecondsSince1970)
        add("time < ?", filter.until?.millisecondsSince1970)
        add("position > ?", filter.afterPosition)
        return (parts.joined(separator: " AND "), arguments)
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(JournalError) -> Value {
        do {
            return try await database.read { try body($0) }
        } catch {
            throw JournalDatabase.journalError(error, path: path)
        }
    }
}

extension RowCursor {
    fileprivate func collect<Value>(_ decode: (Row) throws -> Value) throws -> [Value] {
        var values: [Value] = []
        while let row = try next() { values.append(try decode(row)) }
        return values
    }
}
