internal import DeviceKit
internal import Postgres

/// All SQL that makes or changes tables. A version is never edited once it was released: a later one is added.
struct PostgresSchema {
    let schemaName: String
    let partition: PostgresSettings.Partition

    /// What each version adds to the one before; additions only, so that an older muster's reports go on working.
    var versions: [[String]] { [first, second, third] }

    /// Up to when punches are complete, where they may be missing, and how right the clock is.
    private var second: [String] {
        [
            """
            ALTER TABLE attendance_devices ADD COLUMN complete_through timestamptz, ADD COLUMN gap_from timestamptz,
                ADD COLUMN gap_until timestamptz, ADD COLUMN clock_drift_seconds bigint
            """,
            """
            COMMENT ON COLUMN attendance_devices.complete_through IS
                'Every punch that was made before this instant is known, except between gap_from and gap_until'
            """,
        ]
    }

    /// Several hosts may share the tables: each looks after the devices that it has reported.
    private var third: [String] { ["ALTER TABLE attendance_devices ADD COLUMN reported_by text"] }

    private var first: [String] {
        let isPartitioned = partition == .month
        return [
            """
            CREATE TABLE attendance_devices (
                device text PRIMARY KEY,
                name text NOT NULL,
                location text,
                address text,
                port integer,
                serial_number text,
                registration_number text,
                model text,
                firmware text,
                state text NOT NULL,
                condition text,
                is_enabled boolean NOT NULL,
                is_connected boolean NOT NULL,
                realtime_enabled boolean NOT NULL,
                realtime_disabled_at timestamptz,
                polling_synced_at timestamptz,
                record_count bigint,
                record_capacity bigint,
                people_count bigint,
                updated_at timestamptz NOT NULL DEFAULT now()
            )
            """,
            // A partitioned table takes no identity column before version 17, so that both forms use a sequence.
            """
            CREATE TABLE attendance_records (
                id bigserial,
                device text NOT NULL,
                attendance_code text NOT NULL,
                "timestamp" timestamptz NOT NULL,
                local_time timestamp NOT NULL,
                direction text NOT NULL,
                direction_raw bigint NOT NULL,
                verification text NOT NULL,
                verification_raw bigint NOT NULL,
                work_code text,
                source text NOT NULL,
                received_at timestamptz NOT NULL,
                is_valid boolean NOT NULL,
                notes text NOT NULL,
                raw_data jsonb NOT NULL,
                PRIMARY KEY (\(isPartitioned ? "id, \"timestamp\"" : "id")),
                UNIQUE (device, attendance_code, "timestamp")
            )\(isPartitioned ? " PARTITION BY RANGE (\"timestamp\")" : "")
            """,
            "CREATE INDEX attendance_records_code_time ON attendance_records (attendance_code, \"timestamp\" DESC)",
            "CREATE INDEX attendance_records_device_time ON attendance_records (device, \"timestamp\" DESC)",
            "CREATE INDEX attendance_records_time ON attendance_records (\"timestamp\" DESC)",
            "COMMENT ON TABLE attendance_records IS 'Punches, delivered by muster: one row for each device, code and time'",
            "COMMENT ON TABLE attendance_devices IS 'Terminals as muster knows them, kept up to date by it'",
        ]
    }

    /// Brings the tables to the newest version, in one transaction, alone.
    /// - Parameter isMigrating: false changes nothing and only looks.
    func prepare(_ connection: PostgresConnection, isMigrating: Bool) throws(PostgresProblem) {
        try ask { () throws(PostgresError) in
            let exists = try connection.query(
                "SELECT 1 FROM information_schema.schemata WHERE schema_name = $1", [schemaName])
            if exists.rows.isEmpty, isMigrating {
                try connection.execute("CREATE SCHEMA IF NOT EXISTS \(PostgresText.identifier(schemaName))")
            }
            try connection.execute("SET search_path TO \(PostgresText.identifier(schemaName))")
        }
        try inTransaction(connection) { () throws(PostgresProblem) in
            try migrate(connection, isMigrating: isMigrating)
        }
    }

    private func migrate(_ connection: PostgresConnection, isMigrating: Bool) throws(PostgresProblem) {
        // Two hosts that begin at the same time take turns.
        _ = try ask { () throws(PostgresError) in
            try connection.query("SELECT pg_advisory_xact_lock(hashtext($1))", ["muster \(schemaName)"])
        }
        let found = try version(connection)
        guard found <= versions.count else {
            throw .unusable(
                "the tables in schema \(schemaName) have version \(found), this muster knows up to \(versions.count): "
                    + "use a newer muster")
        }
        guard found < versions.count else { return try checkPartitioning(connection) }
        guard isMigrating else {
            throw .unusable(
                "the tables in schema \(schemaName) have version \(found) and not \(versions.count): set migrate: true once"
            )
        }
        try ask { () throws(PostgresError) in
            if found == 0 { try connection.execute("CREATE TABLE muster_schema (version integer NOT NULL)") }
            for step in versions[found...].joined() { try connection.execute(step) }
            try connection.execute("DELETE FROM muster_schema")
            try connection.execute("INSERT INTO muster_schema VALUES (\(versions.count))")
        }
    }

    /// 0 where there are no tables of ours.
    private func version(_ connection: PostgresConnection) throws(PostgresProblem) -> Int {
        let ours = try tableCount(["muster_schema"], connection)
        guard ours == 0 else {
            let stored = try ask { () throws(PostgresError) in
                try connection.execute("SELECT max(version) FROM muster_schema")
            }
            return stored.rows.first?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0
        }
        guard try tableCount(["attendance_records", "attendance_devices"], connection) == 0 else {
            throw .unusable(
                "schema \(schemaName) has tables of another program with our names: give the sink a schema of its own, "
                    + "for example schema: muster, and bring the old punches over with muster import")
        }
        return 0
    }

    private func tableCount(
        _ names: [String], _ connection: PostgresConnection
    ) throws(PostgresProblem) -> Int {
        let found = try ask { () throws(PostgresError) in
            try connection.query(
                """
                SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE nspname = $1 AND relname = ANY ($2::text[])
                """, [schemaName, "{\(names.joined(separator: ","))}"])
        }
        return found.rows.first?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0
    }

    private func checkPartitioning(_ connection: PostgresConnection) throws(PostgresProblem) {
        let kind = try ask { () throws(PostgresError) in
            try connection.query(
                """
                SELECT relkind FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE nspname = $1 AND relname = 'attendance_records'
                """, [schemaName])
        }
        let isPartitioned = kind.rows.first?.first == "p"
        guard isPartitioned == (partition == .month) else {
            throw .unusable(
                "attendance_records in schema \(schemaName) is \(isPartitioned ? "" : "not ")divided into partitions: "
                    + "set partition: \(isPartitioned ? "month" : "none"), or give the sink another schema")
        }
    }

    private func ask<Value>(_ body: () throws(PostgresError) -> Value) throws(PostgresProblem) -> Value {
        do throws(PostgresError) {
            return try body()
        } catch {
            throw .server(error)
        }
    }

    private func inTransaction(
        _ connection: PostgresConnection, _ body: () throws(PostgresProblem) -> Void
    ) throws(PostgresProblem) {
        _ = try ask { () throws(PostgresError) in try connection.execute("BEGIN") }
        do throws(PostgresProblem) {
            try body()
        } catch {
            _ = try? connection.execute("ROLLBACK")
            throw error
        }
        _ = try ask { () throws(PostgresError) in try connection.execute("COMMIT") }
    }
}

/// What stands in the way of using the database.
enum PostgresProblem: Error {
    case server(PostgresError)
    /// Only a person can help; one sentence with the remedy.
    case unusable(String)
}

/// A month of a partitioned table, in UTC.
struct PartitionMonth: Sendable, Hashable {
    let year: Int
    let month: Int

    init(_ instant: Instant) {
        let date = DeviceTimeZone.utc.localTime(at: instant).date
        year = date.year
        month = date.month
    }

    private init(year: Int, month: Int) {
        self.year = year
        self.month = month
    }

    var next: PartitionMonth {
        month == 12 ? PartitionMonth(year: year + 1, month: 1) : PartitionMonth(year: year, month: month + 1)
    }

    var tableName: String { "attendance_records_\(year)_\(Self.twoDigits(month))" }

    var createSQL: String {
        """
        CREATE TABLE IF NOT EXISTS \(tableName) PARTITION OF attendance_records
        FOR VALUES FROM ('\(firstDay)') TO ('\(next.firstDay)')
        """
    }

    private var firstDay: String {
        let year = String(repeating: "0", count: max(0, 4 - String(year).count)) + String(year)
        return "\(year)-\(Self.twoDigits(month))-01 00:00:00+00"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
