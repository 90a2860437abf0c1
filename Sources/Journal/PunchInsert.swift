internal import DeviceKit
internal import GRDB
internal import GRDBSQLite

/// Inserts punches by binding their bytes where they lie.
///
/// GRDB's own arguments box every value: they took more time than SQLite did (a sync of 100,000 punches took 0.85 s instead of 0.41 s).
/// Everything else goes through GRDB.
struct PunchInsert {
    private let statement: OpaquePointer
    private let database: Database
    private let device: Int64
    /// The texts of one row, one behind the other.
    private var texts: [UInt8] = []
    private var places: [(column: Int32, range: Range<Int>)] = []

    init(_ database: Database, device: Int64) throws {
        self.database = database
        self.device = device
        let hasForgotten = try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM forgotten)") ?? false
        let sql = hasForgotten ? PunchRow.guardedInsertSQL : PunchRow.insertSQL
        statement = try database.cachedStatement(sql: sql).sqliteStatement
        texts.reserveCapacity(1_024)
    }

    /// Inserts one punch; nothing happens when its identity is known.
    mutating func callAsFunction(_ punch: Punch) throws {
        texts.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        sqlite3_reset(statement)
        try bind(punch)
        let result = texts.withUnsafeBufferPointer { texts in
            for (column, range) in places {
                let start = texts.baseAddress.map { UnsafeRawPointer($0 + range.lowerBound) }
                let text = start?.assumingMemoryBound(to: CChar.self)
                // Without a destructor SQLite does not copy: the texts outlive the step.
                let bound = sqlite3_bind_text(statement, column, text, Int32(clamping: range.count), nil)
                guard bound == SQLITE_OK else { return bound }
            }
            return sqlite3_step(statement)
        }
        sqlite3_reset(statement)
        guard result == SQLITE_DONE else { throw error(result) }
    }

    /// The values in the order of ``PunchRow/insertSQL``.
    private mutating func bind(_ punch: Punch) throws {
        let record = punch.record
        try bind(1, device)
        try bind(2, punch.time.millisecondsSince1970)
        text(3, record.code.storable)
        try bind(4, record.localTime.wallSeconds)
        text(5, record.direction.kind.rawValue)
        try bind(6, Int64(record.direction.raw))
        text(7, record.verification.kind.rawValue)
        try bind(8, Int64(record.verification.raw))
        if let workCode = record.workCode {
            text(9, workCode.storable)
        } else if sqlite3_bind_null(statement, 9) != SQLITE_OK {
            throw error(SQLITE_ERROR)
        }
        text(10, punch.source.rawValue)
        try bind(11, punch.receivedAt.millisecondsSince1970)
        try bind(12, punch.isValid ? 1 : 0)
        text(13, punch.notes.storable)
        text(14, record.raw.text)
    }

    private func bind(_ column: Int32, _ value: Int64) throws {
        let result = sqlite3_bind_int64(statement, column, value)
        guard result == SQLITE_OK else { throw error(result) }
    }

    private mutating func text(_ column: Int32, _ text: String) {
        let start = texts.count
        texts.append(contentsOf: text.utf8)
        places.append((column, start..<texts.count))
    }

    private func error(_ code: Int32) -> DatabaseError {
        let message = sqlite3_errmsg(database.sqliteConnection).map { String(cString: $0) }
        return DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
    }
}
