public import DeviceKit
internal import GRDB

extension JournalReader {
    public func cursor(for device: DeviceID) async throws(JournalError) -> StoredCursor? {
        try await read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT cursor, floor, epoch, log_time FROM devices WHERE name = ?",
                arguments: [device.name])
            guard let row, let stored: DatabaseBytes = row[0], let cursor = Cursor(bytes: stored.bytes) else {
                return nil
            }
            let floor: Int64? = row[1]
            let logTime: Int64? = row[3]
            return StoredCursor(
                cursor: cursor, floor: floor.flatMap { LocalDateTime(exactlyWallSeconds: $0) },
                logTime: logTime.map { Instant(millisecondsSince1970: $0) }, epoch: row[2])
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

    /// The time of each device's newest punch until an instant; devices without one are left out.
    public func lastPunchTimes(until instant: Instant) async throws(JournalError) -> [DeviceID: Instant] {
        try await read { database in
            // One look into the index for each device.
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT name, (SELECT max(time) FROM punches WHERE device = devices.id AND time <= ?) FROM devices
                    """, arguments: [instant.millisecondsSince1970])
            var result: [DeviceID: Instant] = [:]
            for row in rows {
                guard let device = DeviceID(row[0] as String), let time: Int64 = row[1] else { continue }
                result[device] = Instant(millisecondsSince1970: time)
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

    /// The latest time of a device's plausible punches; `nil` when there is none.
    public func newestTime(of device: DeviceID) async throws(JournalError) -> Instant? {
        try await read { database in
            let time = try Int64.fetchOne(
                database,
                sql: """
                    SELECT time FROM punches WHERE device = (SELECT id FROM devices WHERE name = ?) AND is_valid
                    ORDER BY time DESC LIMIT 1
                    """, arguments: [device.name])
            return time.map { Instant(millisecondsSince1970: $0) }
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
}
