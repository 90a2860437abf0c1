internal import DeviceKit
internal import Postgres

/// A table of punches in somebody else's PostgreSQL database, read in the order of its `id`.
///
/// Columns go by the names that ``ImportRow`` knows. Where `device_id` refers to a table of devices, their names and
/// serial numbers are read with it.
actor AttendanceTable {
    struct Page: Sendable {
        var rows: [Row] = []
        /// The id of the last row.
        var place: String?
    }

    struct Row: Sendable {
        let id: String
        let row: Result<ImportRow, ImportRow.Problem>
    }

    private let executor = QueueExecutor(label: "muster.import")
    private let connection: PostgresConnection
    private let table: String
    /// By id: how a device may be called.
    private var devices: [String: [String]] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Connects, and changes nothing there.
    /// - Parameter table: with its schema where it is not on the search path: `app.attendance_attendancerecord`.
    init(_ url: String, table: String) throws(PostgresError) {
        let parts = table.split(separator: ".", omittingEmptySubsequences: false)
        self.table = parts.map { PostgresText.identifier(String($0)) }.joined(separator: ".")
        connection = try PostgresConnection(
            url, defaults: [("application_name", "muster import"), ("connect_timeout", "10")], patience: .seconds(300))
        try connection.execute("SET default_transaction_read_only TO on; SET TIME ZONE 'UTC'")
        devices = try Self.devices(connection, self.table)
    }

    /// Names the table among those of all servers.
    var origin: String { "\(connection.place) \(table)" }

    /// How many rows there are.
    func count() throws(PostgresError) -> Int {
        let answer = try connection.execute("SELECT count(*) FROM \(table)")
        return answer.rows.first?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0
    }

    /// The rows after an id.
    func page(after place: String?, limit: Int) throws(PostgresError) -> Page {
        let answer = try connection.query(
            """
            SELECT one.id::text AS place, to_jsonb(one)::text FROM \(table) AS one
            WHERE $1::bigint IS NULL OR one.id > $1::bigint ORDER BY one.id LIMIT \(limit)
            """, [place])
        var page = Page()
        for row in answer.rows {
            guard row.count == 2, let id = row[0], let text = row[1] else { continue }
            page.rows.append(Row(id: id, row: Self.row(text)))
            page.place = id
        }
        return page
    }

    /// The ways in which the other system calls a device: its id, and what the table of devices says.
    func names(of device: String) -> [String] { [device] + (devices[device] ?? []) }

    func close() { connection.close() }

    private static func row(_ text: String) -> Result<ImportRow, ImportRow.Problem> {
        do throws(ImportRow.Problem) {
            return .success(try ImportRow(ImportRow.members(of: text) ?? [:]))
        } catch {
            return .failure(error)
        }
    }

    private static func devices(
        _ connection: PostgresConnection, _ table: String
    ) throws(PostgresError) -> [String: [String]] {
        let target = try connection.query(
            """
            SELECT confrelid::regclass::text FROM pg_constraint
            JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
            WHERE conrelid = $1::regclass AND contype = 'f' AND attname IN ('device_id', 'device')
            """, [table])
        guard let name = target.rows.first?.first.flatMap({ $0 }) else { return [:] }
        // The server has quoted the name.
        let answer = try connection.execute("SELECT id::text, to_jsonb(one)::text FROM \(name) AS one")
        var devices: [String: [String]] = [:]
        for row in answer.rows {
            guard row.count == 2, let id = row[0], let members = row[1].flatMap({ ImportRow.members(of: $0) }) else {
                continue
            }
            devices[id] = ["name", "serial_number"].compactMap { members[$0] }.filter { !$0.isEmpty }
        }
        return devices
    }
}
