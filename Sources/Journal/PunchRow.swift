internal import DeviceKit
internal import GRDB

/// A punch as a row, both ways.
enum PunchRow {
    static let insertSQL = """
        INSERT INTO punches (device, time, code, local_time, direction, direction_raw, verification, verification_raw,
            work_code, source, received_at, is_valid, notes, raw)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """

    /// As ``insertSQL``, for a journal that has forgotten punches.
    static let guardedInsertSQL = """
        INSERT INTO punches (device, time, code, local_time, direction, direction_raw, verification, verification_raw,
            work_code, source, received_at, is_valid, notes, raw)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
        WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE device = ?1 AND time = ?2 AND code = ?3)
        ON CONFLICT DO NOTHING
        """

    static let columns = """
        position, name, time, code, local_time, direction, direction_raw, verification, verification_raw, work_code,
        source, received_at, is_valid, notes, raw
        """

    /// - Throws: ``JournalError/Kind/fatal`` for a row that this program cannot have written.
    static func decode(_ row: Row) throws -> JournaledPunch {
        let position: Int64 = row[0]
        guard let device = DeviceID(row[1] as String), let localTime = LocalDateTime(exactlyWallSeconds: row[4]) else {
            throw JournalError(.fatal, "the journal is damaged at position \(position)")
        }
        let record = PunchRecord(
            code: row[3], localTime: localTime,
            direction: Direction(Direction.Kind(rawValue: row[5]) ?? .unknown, raw: row[6]),
            verification: Verification(Verification.Kind(rawValue: row[7]) ?? .unknown, raw: row[8]),
            workCode: row[9], raw: RawJSON(trusted: row[14]))
        let punch = Punch(
            device: device, time: Instant(millisecondsSince1970: row[2]), record: record,
            source: Punch.Source(rawValue: row[10]) ?? .import,
            receivedAt: Instant(millisecondsSince1970: row[11]), isValid: row[12], notes: row[13])
        return JournaledPunch(position: position, punch: punch)
    }
}

extension String {
    /// SQLite would cut a text at a zero byte, and two people could become one.
    var storable: String {
        utf8.contains(0) ? replacing("\0", with: "\u{FFFD}") : self
    }
}
