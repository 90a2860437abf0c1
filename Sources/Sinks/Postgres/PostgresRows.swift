internal import DeviceKit
internal import Postgres

/// A batch of punches in the two forms in which PostgreSQL takes it.
enum PostgresRows {
    private static let columns = """
        device, attendance_code, "timestamp", local_time, direction, direction_raw, verification, verification_raw,
        work_code, source, received_at, is_valid, notes, raw_data
        """

    static let copySQL = "COPY attendance_records (\(columns)) FROM STDIN"

    /// The batch as 14 arrays; rows that exist already are left as they are. Answers how many were new, and tells
    /// listeners of them. The conflict is named: with a unique index of somebody else's, a punch is refused with its
    /// words and not left out in silence.
    static func insertSQL(channel: String) -> String {
        let notice = channel.isEmpty ? "" : ", \(notification(channel: channel))"
        return """
            WITH new AS (
                INSERT INTO attendance_records (\(columns))
                SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamp[], $5::text[], $6::bigint[],
                    $7::text[], $8::bigint[], $9::text[], $10::text[], $11::timestamptz[], $12::boolean[], $13::text[],
                    $14::jsonb[])
                ON CONFLICT (device, attendance_code, "timestamp") DO NOTHING RETURNING "timestamp")
            SELECT count(*)\(notice) FROM new HAVING count(*) > 0
            """
    }

    /// Tells listeners of the rows of `new`: how many, and the span of their times.
    private static func notification(channel: String) -> String {
        let name = channel.replacing("'", with: "''")
        return """
            pg_notify('\(name)', json_build_object('count', count(*), 'from', min("timestamp"), 'to', max("timestamp"))::text)
            """
    }

    /// The same notice for rows that were copied.
    static func copiedNotification(_ punches: ArraySlice<JournaledPunch>, channel: String) -> (String, [String?]) {
        let times = punches.map(\.punch.time)
        return (
            """
            SELECT pg_notify($1, json_build_object('count', $2::bigint, 'from', $3::timestamptz, 'to', $4::timestamptz)::text)
            """,
            [channel, String(punches.count), times.min()?.description, times.max()?.description]
        )
    }

    static func copyData(_ punches: ArraySlice<JournaledPunch>) -> [UInt8] {
        var rows = PostgresText.CopyRows(capacity: punches.count * 256)
        for journaled in punches {
            let (punch, record) = (journaled.punch, journaled.punch.record)
            rows.append(punch.device.name)
            rows.append(record.code)
            rows.append(punch.time.description)
            rows.append(record.localTime.iso8601)
            rows.append(record.direction.kind.rawValue)
            rows.append(Int64(record.direction.raw))
            rows.append(record.verification.kind.rawValue)
            rows.append(Int64(record.verification.raw))
            rows.append(record.workCode)
            rows.append(punch.source.rawValue)
            rows.append(punch.receivedAt.description)
            rows.append(punch.isValid)
            rows.append(punch.notes)
            rows.append(PostgresText.storableJSON(record.raw.text))
            rows.endRow()
        }
        return rows.bytes
    }

    /// In the order of ``insertSQL(channel:)``.
    /// - Parameter isRawText: what the device said goes in as one text, for what is no JSON to the database.
    static func arrays(_ punches: ArraySlice<JournaledPunch>, isRawText: Bool = false) -> [[UInt8]?] {
        func array(_ add: (inout PostgresText.Array, Punch) -> Void) -> [UInt8] {
            var array = PostgresText.Array(capacity: punches.count * 24)
            for journaled in punches { add(&array, journaled.punch) }
            return array.literal()
        }
        return [
            array { $0.append($1.device.name) }, array { $0.append($1.record.code) },
            array { $0.append($1.time.description) }, array { $0.append($1.record.localTime.iso8601) },
            array { $0.append($1.record.direction.kind.rawValue) }, array { $0.append(Int64($1.record.direction.raw)) },
            array { $0.append($1.record.verification.kind.rawValue) },
            array { $0.append(Int64($1.record.verification.raw)) }, array { $0.append($1.record.workCode) },
            array { $0.append($1.source.rawValue) }, array { $0.append($1.receivedAt.description) },
            array { $0.append($1.isValid) }, array { $0.append($1.notes) },
            array { $0.append(PostgresText.storableJSON(isRawText ? wrapped($1.record.raw) : $1.record.raw.text)) },
        ]
    }

    /// `{"text": "…"}` in ASCII, which every database can keep.
    private static func wrapped(_ raw: RawJSON) -> String {
        var text = ""
        for unit in raw.text.utf16 {
            if unit < 0x80, let scalar = UnicodeScalar(unit) {
                text.unicodeScalars.append(scalar)
            } else {
                let digits = String(unit, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        var object = JSONObjectWriter()
        object.member("text", text)
        return object.finish().text
    }
}

/// The rows of `attendance_devices`.
enum PostgresDeviceRows {
    static let upsertSQL = """
        INSERT INTO attendance_devices (device, name, location, address, port, serial_number, registration_number, model,
            firmware, state, condition, is_enabled, is_connected, realtime_enabled, realtime_disabled_at,
            polling_synced_at, record_count, record_capacity, people_count, complete_through, gap_from, gap_until,
            clock_drift_seconds, reported_by, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24, now())
        ON CONFLICT (device) DO UPDATE SET name = excluded.name, location = excluded.location,
            address = excluded.address, port = excluded.port, serial_number = excluded.serial_number,
            registration_number = excluded.registration_number, model = excluded.model, firmware = excluded.firmware,
            state = excluded.state, condition = excluded.condition, is_enabled = excluded.is_enabled,
            is_connected = excluded.is_connected, realtime_enabled = excluded.realtime_enabled,
            realtime_disabled_at = excluded.realtime_disabled_at, polling_synced_at = excluded.polling_synced_at,
            record_count = excluded.record_count, record_capacity = excluded.record_capacity,
            people_count = excluded.people_count, complete_through = excluded.complete_through,
            gap_from = excluded.gap_from, gap_until = excluded.gap_until,
            clock_drift_seconds = excluded.clock_drift_seconds, reported_by = excluded.reported_by,
            updated_at = excluded.updated_at
        """

    /// Devices that the host no longer has: their punches stay, they are shown as switched off.
    static let retireSQL = """
        UPDATE attendance_devices SET is_enabled = false, is_connected = false, state = 'removed', updated_at = now()
        WHERE device <> ALL ($1::text[]) AND state <> 'removed' AND coalesce(reported_by, $2) = $2
        """

    /// Of some devices those that another host has reported last.
    static let sharedSQL = """
        SELECT device FROM attendance_devices
        WHERE device = ANY ($1::text[]) AND state <> 'removed' AND reported_by <> $2 ORDER BY device
        """

    /// - Parameter host: what this host is called in the table.
    static func values(_ report: DeviceReport, host: String) -> [String?] {
        [
            report.device.name, report.name, report.location, report.address, report.port.map { String($0) },
            report.identity.serialNumber, report.identity.registrationNumber, report.identity.model,
            report.identity.firmware, report.state, report.conditions.summary, report.isEnabled ? "t" : "f",
            report.isConnected ? "t" : "f", report.isRealtimeEnabled ? "t" : "f",
            report.realtimeDisabledAt?.description, report.lastPollAt?.description,
            report.inventory?.recordCount.map { String($0) }, report.inventory?.recordCapacity.map { String($0) },
            report.inventory?.peopleCount.map { String($0) }, report.completeThrough?.description,
            report.gapFrom?.description, report.gapUntil?.description,
            report.clockDrift.map { String($0.components.seconds) }, host,
        ].map { $0?.replacing("\0", with: "\u{FFFD}") }
    }

    static func names(_ reports: [DeviceReport]) -> [UInt8] {
        var array = PostgresText.Array()
        for report in reports { array.append(report.device.name) }
        return array.literal()
    }
}
