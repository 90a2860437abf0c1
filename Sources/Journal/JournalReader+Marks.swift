public import DeviceKit
internal import GRDB

/// Who punched where and when, without the rest of the punch.
public struct PunchMark: Sendable, Hashable {
    public var position: Int64
    public var device: DeviceID
    public var code: String
    public var time: Instant
    public var localTime: LocalDateTime
}

extension JournalReader {
    /// The valid punches of some people at some devices in a span of time, by device, then by time.
    public func marks(
        of devices: Set<DeviceID>, people: Set<String>, in span: ClosedRange<Instant>
    ) async throws(JournalError) -> [PunchMark] {
        let names = devices.map(\.name).sorted()
        // As the journal stores them.
        let codes = JSONNode.strings(people.map(\.storable)).text()
        return try await read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT position, name, code, time, local_time FROM devices
                    CROSS JOIN punches INDEXED BY punch_identity ON punches.device = devices.id
                    WHERE name IN (\(databaseQuestionMarks(count: names.count))) AND time >= ? AND time <= ?
                        AND code IN (SELECT value FROM json_each(?)) AND is_valid
                    ORDER BY device, time
                    """,
                arguments: StatementArguments(names)
                    + [span.lowerBound.millisecondsSince1970, span.upperBound.millisecondsSince1970, codes])
            var marks: [PunchMark] = []
            while let row = try rows.next() {
                guard let device = DeviceID(row[1] as String), let local = LocalDateTime(exactlyWallSeconds: row[4])
                else { continue }
                marks.append(
                    PunchMark(
                        position: row[0], device: device, code: row[2],
                        time: Instant(millisecondsSince1970: row[3]), localTime: local))
            }
            return marks
        }
    }
}
