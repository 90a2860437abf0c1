public import DeviceKit
internal import Foundation
internal import Postgres
internal import Synchronization

/// Keeps punches in the table `attendance_records` of a PostgreSQL database, one row for each device, code and time,
/// and the devices in `attendance_devices`.
///
/// A backlog goes in by `COPY`, straight into the table. When that meets a row that is there already, as after a crash
/// between commit and answer, the batch goes in by `INSERT … ON CONFLICT DO NOTHING`, and so do small batches.
public actor PostgresSink: DeviceReportSink {
    public static let manifest = SinkManifest(
        id: "postgres", summary: "Writes punches into a PostgreSQL table that reports can query, one row each.")

    private let settings: PostgresSettings
    private let schema: PostgresSchema
    private let context: SinkContext
    private let executor: QueueExecutor
    private let interrupt = Mutex(PostgresInterrupt())
    private var connection: PostgresConnection?
    private var months: Set<PartitionMonth> = []
    /// The target had rows of the last batch already: the next one is not copied.
    private var expectsRepeats = false

    /// Below this a batch goes in by one statement, which takes one round trip.
    static let smallestCopy = 100

    public nonisolated let largestBatch = 5_000
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public init(settings: PostgresSettings, context: SinkContext) throws(SinkFault) {
        self.settings = settings
        self.context = context
        schema = PostgresSchema(schemaName: settings.schemaName, partition: settings.partition)
        executor = QueueExecutor(label: "muster.sink.\(context.name)")
    }

    public func open() async throws(SinkFault) {
        disconnect()
        let interrupt = PostgresInterrupt()
        self.interrupt.withLock { $0 = interrupt }
        try await interruptible { () throws(SinkFault) in try connect(interrupt) }
    }

    public func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        try await interruptible { () throws(SinkFault) in
            try withConnection { (connection) throws(PostgresError) in
                try makePartitions(for: batch, connection)
                return Delivery(rejected: try write(batch[...], connection))
            }
        }
    }

    public func report(_ devices: [DeviceReport], isComplete: Bool) async throws(SinkFault) {
        let host = try await host()
        try await interruptible { () throws(SinkFault) in
            try withConnection { (connection) throws(PostgresError) in
                do throws(PostgresError) {
                    try inTransaction(connection) { () throws(PostgresError) in
                        if isComplete { try compare(devices, host, connection) }
                        for device in devices {
                            try connection.query(
                                PostgresDeviceRows.upsertSQL, PostgresDeviceRows.values(device, host: host))
                        }
                    }
                } catch {
                    // A rule that somebody added to the table of devices must not hold up the punches.
                    guard PostgresFaults.concernsValues(error, []) else { throw error }
                    context.log.warning(
                        "attendance_devices is not kept current: the database refuses a row",
                        ["reason": error.message])
                }
            }
        }
    }

    /// Retires what this host no longer has, and tells of devices that another host has, too: their punches could not be
    /// told apart.
    private func compare(
        _ devices: [DeviceReport], _ host: String, _ connection: PostgresConnection
    ) throws(PostgresError) {
        let arguments = [PostgresDeviceRows.names(devices), Array(host.utf8)]
        try connection.query(PostgresDeviceRows.retireSQL, arguments)
        let shared = try connection.query(PostgresDeviceRows.sharedSQL, arguments).rows.compactMap { $0.first ?? nil }
        guard !shared.isEmpty else { return }
        context.log.warning(
            "another muster reports devices of the same names: rename them here or there, or give each its own schema",
            ["devices": shared.prefix(20).joined(separator: ", ")])
    }

    /// What this host is called in the table: made once for each data directory.
    private func host() async throws(SinkFault) -> String {
        if let known = try await context.memory.value(Self.hostKey) { return known }
        // Nothing depends on it but that no other host has it.
        let made = UUID().uuidString.lowercased()
        try await context.memory.set(made, for: Self.hostKey)
        return made
    }

    private static let hostKey = "host"

    public func close() async { disconnect() }

    // MARK: Connection

    private func connect(_ interrupt: PostgresInterrupt) throws(SinkFault) {
        let defaults = [
            (keyword: "application_name", value: "muster"), (keyword: "connect_timeout", value: "10"),
            // A dead link is noticed, and libpq's session speaks one language whatever the server's settings.
            (keyword: "keepalives_idle", value: "30"), (keyword: "tcp_user_timeout", value: "30000"),
            (keyword: "client_encoding", value: "UTF8"),
            // Of several hosts the one that can be written: a standby takes nothing.
            (keyword: "target_session_attrs", value: "read-write"),
        ]
        do throws(PostgresError) {
            let connection = try PostgresConnection(
                settings.url.reveal(), defaults: defaults, patience: settings.timeout, interrupt: interrupt)
            try connection.execute(
                """
                SET TIME ZONE 'UTC'; SET standard_conforming_strings TO on; SET client_min_messages TO error;
                SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
                """)
            try prepare(connection)
            self.connection = connection
        } catch {
            throw fault(error)
        }
    }

    private func prepare(_ connection: PostgresConnection) throws(PostgresError) {
        months = []
        expectsRepeats = true
        do throws(PostgresProblem) {
            try schema.prepare(connection, isMigrating: settings.isMigrating)
        } catch {
            switch error {
            case .server(let error): throw error
            case .unusable(let sentence): throw PostgresError(.server(sqlState: Self.unusable), sentence)
            }
        }
    }

    private func disconnect() {
        connection?.close()
        connection = nil
    }

    /// After an error the connection is given up, so that the next attempt begins anew.
    private func withConnection<Value>(
        _ body: (PostgresConnection) throws(PostgresError) -> Value
    ) throws(SinkFault) -> Value {
        guard let connection else { throw SinkFault(.transient, "there is no connection to the database") }
        do throws(PostgresError) {
            return try body(connection)
        } catch {
            disconnect()
            throw fault(error)
        }
    }

    /// Lets a cancellation end what libpq waits for.
    private func interruptible<Value: Sendable>(
        _ body: () throws(SinkFault) -> Value
    ) async throws(SinkFault) -> Value {
        let interrupt = interrupt.withLock { $0 }
        let result = await withTaskCancellationHandler { () async -> Result<Value, SinkFault> in
            do throws(SinkFault) { return .success(try body()) } catch { return .failure(error) }
        } onCancel: {
            interrupt.interrupt()
        }
        return try result.get()
    }

    // MARK: Writing

    /// - Returns: punches that the database will never take.
    private func write(
        _ batch: ArraySlice<JournaledPunch>, _ connection: PostgresConnection
    ) throws(PostgresError) -> [Delivery.Rejection] {
        do throws(PostgresError) {
            if batch.count >= Self.smallestCopy, !expectsRepeats {
                do throws(PostgresError) {
                    try copy(batch, connection)
                    return []
                } catch {
                    guard error.sqlState == "23505" else { throw error }
                }
            }
            let new = try insert(batch, connection)
            expectsRepeats = new < batch.count
            return []
        } catch {
            guard PostgresFaults.concernsValues(error, batch) else { throw error }
            return try isolate(batch, error, connection)
        }
    }

    /// One value of the batch is impossible: halves are tried until it stands alone.
    private func isolate(
        _ batch: ArraySlice<JournaledPunch>, _ error: PostgresError, _ connection: PostgresConnection
    ) throws(PostgresError) -> [Delivery.Rejection] {
        guard batch.count > 1 else { return try refuse(batch, error, connection) }
        let middle = batch.startIndex + batch.count / 2
        return try write(batch[..<middle], connection) + write(batch[middle...], connection)
    }

    /// A punch is not lost for what the device said beside it: raw data that the server cannot read goes in as a text.
    private func refuse(
        _ one: ArraySlice<JournaledPunch>, _ error: PostgresError, _ connection: PostgresConnection
    ) throws(PostgresError) -> [Delivery.Rejection] {
        // A month that somebody detached is made again when the punch is retried.
        months = []
        if PostgresFaults.isUnreadableValue(error) {
            do throws(PostgresError) {
                _ = try insert(one, isRawText: true, connection)
                return []
            } catch {
                guard PostgresFaults.concernsValues(error, one) else { throw error }
            }
        }
        return one.map { Delivery.Rejection(position: $0.position, reason: error.message) }
    }

    private func copy(_ batch: ArraySlice<JournaledPunch>, _ connection: PostgresConnection) throws(PostgresError) {
        try inTransaction(connection) { () throws(PostgresError) in
            try connection.copy(PostgresRows.copySQL, PostgresRows.copyData(batch))
            guard !settings.channel.isEmpty else { return }
            let (sql, values) = PostgresRows.copiedNotification(batch, channel: settings.channel)
            try connection.query(sql, values)
        }
    }

    /// - Returns: how many rows were new.
    private func insert(
        _ batch: ArraySlice<JournaledPunch>, isRawText: Bool = false, _ connection: PostgresConnection
    ) throws(PostgresError) -> Int {
        let answer = try connection.query(
            PostgresRows.insertSQL(channel: settings.channel), PostgresRows.arrays(batch, isRawText: isRawText))
        return answer.rows.first?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0
    }

    private func inTransaction(
        _ connection: PostgresConnection, _ body: () throws(PostgresError) -> Void
    ) throws(PostgresError) {
        try connection.execute("BEGIN")
        do throws(PostgresError) {
            try body()
        } catch {
            if connection.isOpen { try connection.execute("ROLLBACK") }
            throw error
        }
        try connection.execute("COMMIT")
    }

    /// The months of the batch, and this one and the next, ahead of their first punch.
    private func makePartitions(
        for batch: [JournaledPunch], _ connection: PostgresConnection
    ) throws(PostgresError) {
        guard settings.partition == .month else { return }
        let current = PartitionMonth(context.time.now())
        let wanted = Set(batch.map { PartitionMonth($0.punch.time) }).union([current, current.next])
        for month in wanted.subtracting(months) {
            // Looked up first: a user who may not make tables can work with those that others made ahead.
            let found = try connection.query("SELECT to_regclass($1)", [month.tableName])
            if found.rows.first?.first.flatMap({ $0 }) == nil { try make(month, connection) }
            months.insert(month)
        }
    }

    private func make(_ month: PartitionMonth, _ connection: PostgresConnection) throws(PostgresError) {
        do throws(PostgresError) {
            try connection.execute(month.createSQL)
        } catch {
            // Somebody's own partition has the month already, or a default one has punches of it.
            guard ["42P17", "23514"].contains(error.sqlState) else { throw error }
        }
    }

    private func fault(_ error: PostgresError) -> SinkFault { PostgresFaults.fault(error, schema: settings.schemaName) }

    /// Not a state of the server: only a person can help.
    static let unusable = "MUSTR"
}
