public import DeviceKit
internal import GRDB

/// Queries over the journal. Works beside a running host and sees all that it has committed.
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

    /// At most `limit` punches. For more than some thousands use ``forEachPage(of:order:limit:pageSize:_:)``.
    public func punches(
        _ filter: Filter = Filter(), order: Order = .journal, limit: Int
    ) async throws(JournalError) -> [JournaledPunch] {
        try await read { try Self.cursor($0, filter, order, limit: limit).collect(upTo: limit) }
    }

    /// Hands all punches of a query to `body`, a page at a time, so that memory stays small however many there are.
    /// The query sees one state of the journal, whatever is committed meanwhile.
    /// - Parameters:
    ///   - limit: how many at the most; `nil` for all.
    ///   - body: called on a thread of the database; what it throws ends the query and comes out as a fatal error.
    ///     Returns whether to go on.
    public func forEachPage(
        of filter: Filter = Filter(), order: Order = .journal, limit: Int? = nil, pageSize: Int = 1_000,
        _ body: @escaping @Sendable ([JournaledPunch]) throws -> Bool
    ) async throws(JournalError) {
        try await read { database in
            let cursor = try Self.cursor(database, filter, order, limit: limit)
            while true {
                let page = try cursor.collect(upTo: pageSize)
                guard !page.isEmpty, try body(page), page.count == pageSize else { return }
            }
        }
    }

    /// The position of the newest punch; 0 in an empty journal.
    public func latestPosition() async throws(JournalError) -> Int64 {
        try await read { try Self.latestPosition($0) }
    }

    /// Bytes that the journal's rows take, free pages left out.
    public func usedByteCount() async throws(JournalError) -> Int {
        try await read { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            let free = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            return (pages - free) * (try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 4_096)
        }
    }

    /// How many punches a query would find.
    public func count(_ filter: Filter = Filter()) async throws(JournalError) -> Int {
        let query = PunchQuery(filter)
        return try await read { database in
            try Int.fetchOne(
                database, sql: "SELECT count(*) FROM \(query.from) WHERE \(query.condition)",
                arguments: query.arguments) ?? 0
        }
    }

    /// How many punches of a query each device has on each day of its own wall clock, by device, then by day.
    public func dailyCounts(_ filter: Filter = Filter()) async throws(JournalError) -> [DailyCount] {
        let query = PunchQuery(filter)
        // Division of integers rounds towards zero; nothing that the journal takes was punched before the year 1.
        let day = "(local_time + \(DailyCount.shift)) / 86400"
        return try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT name, \(day), count(*) FROM \(query.from) WHERE \(query.condition)
                    GROUP BY name, \(day) ORDER BY name, \(day)
                    """, arguments: query.arguments
            ).compactMap { row in
                guard let device = DeviceID(row[0] as String) else { return nil }
                return DailyCount(device: device, shiftedDay: row[1], count: row[2])
            }
        }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(JournalError) -> Value {
        try await JournalDatabase.uncancelled(path: path) { [database] in try await database.read { try body($0) } }
    }

    static func latestPosition(_ database: Database) throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT max(position) FROM punches") ?? 0
    }

    private static func cursor(
        _ database: Database, _ filter: Filter, _ order: Order, limit: Int?
    ) throws -> RowCursor {
        let query = PunchQuery(filter)
        return try Row.fetchCursor(
            database,
            sql: """
                SELECT \(PunchRow.columns) FROM \(query.from) WHERE \(query.condition)
                ORDER BY position \(order == .journal ? "ASC" : "DESC") LIMIT \(limit.map { max($0, 0) } ?? -1)
                """, arguments: query.arguments)
    }
}

/// How many punches a device had on one day of its wall clock.
public struct DailyCount: Sendable, Hashable {
    public let device: DeviceID
    public let date: CivilDate
    public let count: Int

    /// Seconds from the first day of the calendar to 1970, a whole number of days.
    fileprivate static let shift = -LocalDateTime.earliest.wallSeconds

    fileprivate init(device: DeviceID, shiftedDay: Int, count: Int) {
        self.device = device
        self.date = CivilDate(daysSince1970: shiftedDay - Int(Self.shift / 86_400))
        self.count = count
    }
}

extension RowCursor {
    /// At most `count` rows as punches, and no more once their texts have `byteCount` bytes.
    func collect(upTo count: Int, byteCount: Int = .max) throws -> [JournaledPunch] {
        var punches: [JournaledPunch] = []
        var bytes = 0
        while punches.count < count, bytes < byteCount, let row = try next() {
            let punch = try PunchRow.decode(row)
            bytes += punch.byteCount
            punches.append(punch)
        }
        return punches
    }
}

extension JournaledPunch {
    /// The texts whose length devices decide.
    fileprivate var byteCount: Int {
        punch.code.utf8.count + punch.notes.utf8.count + punch.record.raw.text.utf8.count
            + (punch.record.workCode?.utf8.count ?? 0)
    }
}

extension [JournaledPunch] {
    var byteCount: Int { reduce(0) { $0 + $1.byteCount } }
}
