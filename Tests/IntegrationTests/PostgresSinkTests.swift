import DeviceKit
import DeviceKitTesting
import Foundation
import Testing

@testable import Sinks

@Suite("The PostgreSQL sink, against a server", .timeLimit(.minutes(2)))
struct PostgresSinkTests {
    private let server: PostgresServer
    private let schema = "s" + UUID().uuidString.prefix(8).lowercased()
    private let lobby: DeviceID

    init() async throws {
        server = try await PostgresServer.shared.value
        lobby = try #require(DeviceID("lobby"))
    }

    private func sink(_ settings: [String: String] = [:]) throws -> PostgresSink {
        let own = ["url": server.connectionString, "schema": schema].merging(settings) { $1 }
        return try PostgresSink(
            settings: try PostgresSettings(try PostgresSettings.schema.values(own)),
            context: SinkContext(name: "db", baseDirectory: "/", time: ManualTime(), log: SilentLog()))
    }

    private func punch(
        _ second: Int64, code: String = "7", raw: String = #"{"uid": 1}"#, notes: String = "",
        workCode: String? = nil
    ) -> JournaledPunch {
        let instant = Instant(millisecondsSince1970: 1_767_600_000_000 + second * 1_000)
        let record = PunchRecord(
            code: code, localTime: DeviceTimeZone.utc.localTime(at: instant), direction: Direction(.in, raw: 0),
            verification: Verification(.face, raw: 15), workCode: workCode, raw: RawJSON(trusted: raw))
        return JournaledPunch(
            position: second + 1,
            punch: Punch(
                device: lobby, time: instant, record: record, source: .poll, receivedAt: instant, notes: notes))
    }

    private func count() async throws -> Int {
        Int(try await server.sql("SELECT count(*) FROM \(schema).attendance_records").first ?? "") ?? -1
    }

    @Test("makes its tables, and rows read as a reporting user expects")
    func rows() async throws {
        let sink = try sink()
        try await sink.open()
        let odd = punch(
            1, code: "é\\\"{},\t' 8", raw: #"{"a": "\\ \" é", "n": [1, null]}"#, notes: "a\nb\\N", workCode: "12")
        #expect(try await sink.deliver([punch(0), odd]) == .allAccepted)
        await sink.close()
        let rows = try await server.sql(
            """
            SELECT device, attendance_code, to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), local_time,
                direction, direction_raw, verification, verification_raw, coalesce(work_code, '-'), source, is_valid,
                replace(notes, E'\\n', '~'), raw_data
            FROM \(schema).attendance_records ORDER BY id
            """)
        #expect(
            rows == [
                #"lobby|7|2026-01-05 08:00:00|2026-01-05 08:00:00|in|0|face|15|-|poll|t||{"uid": 1}"#,
                "lobby|é\\\"{},\t' 8|2026-01-05 08:00:01|2026-01-05 08:00:01|in|0|face|15|12|poll|t|a~b\\N"
                    + #"|{"a": "\\ \" é", "n": [1, null]}"#,
            ])
    }

    @Test("the same punches again change nothing, in small batches and in large ones", arguments: [1, 99, 100, 5_000])
    func repeats(_ size: Int64) async throws {
        let sink = try sink()
        try await sink.open()
        let batch = (0..<size).map { punch($0) }
        for _ in 0..<3 { #expect(try await sink.deliver(batch) == .allAccepted) }
        // Half of it is known: a copy meets them.
        let mixed = (size / 2..<size + size / 2 + 1).map { punch($0) }
        for _ in 0..<2 { #expect(try await sink.deliver(mixed) == .allAccepted) }
        #expect(try await count() == Int(size + size / 2 + 1))
        await sink.close()
    }

    @Test("rows stand in the order of the journal")
    func order() async throws {
        let sink = try sink()
        try await sink.open()
        var position: Int64 = 0
        for size in [1, 250, 3, 5_000, 40] as [Int64] {
            _ = try await sink.deliver((position..<position + size).map { punch($0) })
            position += size
        }
        let disorder = try await server.sql(
            """
            SELECT count(*) FROM (SELECT "timestamp" < lag("timestamp") OVER (ORDER BY id) AS wrong
            FROM \(schema).attendance_records) AS pairs WHERE wrong
            """)
        #expect(disorder == ["0"])
        #expect(try await count() == 5_294)
        await sink.close()
    }

    @Test("a value that the database cannot take is refused alone, with the server's words", arguments: [3, 400])
    func poison(_ size: Int64) async throws {
        let sink = try sink()
        try await sink.open()
        var batch = (0..<size).map { punch($0) }
        batch[1] = punch(1, raw: #"{"name": "\u0000"}"#)
        let last = batch.count - 1
        batch[last] = punch(Int64(last), raw: "{not json")
        let delivery = try await sink.deliver(batch)
        #expect(delivery.rejected.map(\.position) == [2, size])
        #expect(delivery.rejected.first?.reason.contains("Unicode") == true, "\(delivery.rejected)")
        #expect(try await count() == Int(size) - 2)
        #expect(try await sink.deliver([punch(9_000)]) == .allAccepted)
        await sink.close()
    }

    @Test("keeps the devices, and shows those that are gone as switched off")
    func devices() async throws {
        let sink = try sink()
        try await sink.open()
        var report = DeviceReport(device: lobby, name: "Main 'Office'", state: "online")
        report.location = "Building A"
        report.address = "192.168.1.100"
        report.port = 4370
        report.isConnected = true
        report.identity.serialNumber = "A8N5230\0"
        report.lastPollAt = Instant(rfc3339: "2026-11-24T08:30:00.250Z")
        let gate = DeviceReport(device: try #require(DeviceID("gate")), name: "Gate", state: "idle")
        try await sink.report([report, gate], isComplete: true)
        report.isConnected = false
        try await sink.report([report], isComplete: false)
        let columns = """
            device, name, location, address, port, serial_number, is_enabled, is_connected, realtime_enabled,
            polling_synced_at AT TIME ZONE 'UTC', state
            """
        let query = "SELECT \(columns) FROM \(schema).attendance_devices ORDER BY device DESC"
        #expect(
            try await server.sql(query) == [
                "lobby|Main 'Office'|Building A|192.168.1.100|4370|A8N5230\u{FFFD}|t|f|t|2026-11-24 08:30:00.25|online",
                "gate|Gate|||||t|f|t||idle",
            ])
        try await sink.report([gate], isComplete: true)
        #expect(try await server.sql(query).first?.hasSuffix("|removed") == true)
        await sink.close()
    }

    @Test("divides the table by months, made ahead of their punches")
    func partitions() async throws {
        let sink = try sink(["partition": "month"])
        try await sink.open()
        let month: Int64 = 31 * 86_400
        let batch = (0..<200).map { punch($0 * month / 20) }
        #expect(try await sink.deliver(batch) == .allAccepted)
        #expect(try await sink.deliver(batch) == .allAccepted)
        #expect(try await count() == 200)
        let names = try await server.sql(
            "SELECT count(*) FROM pg_tables WHERE schemaname = '\(schema)' AND tablename ~ 'records_20[0-9]{2}_[0-9]{2}$'"
        )
        #expect((Int(names.first ?? "") ?? 0) >= 10)
        await sink.close()
        let plain = try self.sink()
        await #expect { try await plain.open() } throws: { ($0 as? SinkFault)?.kind == .permanent }
    }

    @Test("tells listeners of new rows, and only of new ones")
    func notifications() async throws {
        let sink = try sink(["notify": "punches"])
        try await sink.open()
        // psql prints what it heard after each statement.
        async let heard = server.script(
            """
            LISTEN punches;
            DO $$ BEGIN
                WHILE (SELECT count(*) FROM \(schema).attendance_records) < 203 LOOP PERFORM pg_sleep(0.01); END LOOP;
            END $$;
            """)
        while try await server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $$ BEGIN%\(schema)%' AND state = 'active'") == [
                "0"
            ]
        {}
        let three = (0..<3).map { punch($0) }
        for _ in 0..<2 { _ = try await sink.deliver(three) }
        _ = try await sink.deliver((0..<200).map { punch($0 + 10) })
        await sink.close()
        let counts = try await heard.matches(of: /"punches" with payload "{"count" : (\d+), "from" : "2026-01-05T/)
        #expect(counts.map(\.output.1) == ["3", "200"])
    }

    @Test(
        "says in one sentence what an operator has to do",
        arguments: [
            ("host=/nowhere dbname=postgres", SinkFault.Kind.transient, "cannot be reached"),
            ("SERVER dbname=nothing", .transient, "does not exist"),
            ("SERVER dbname=postgres user=reader_only", .permanent, "grant the sink's user"),
        ])
    func refusals(_ url: String, _ kind: SinkFault.Kind, _ words: String) async throws {
        try await server.sql(
            "DO $$ BEGIN CREATE ROLE reader_only LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        let sink = try sink(["url": url.replacing("SERVER", with: "host=\(server.directory) user=postgres")])
        await #expect {
            try await sink.open()
        } throws: { error in
            guard let fault = error as? SinkFault else { return false }
            return fault.kind == kind && fault.message.contains(words)
        }
    }

    @Test("leaves the tables of another program alone")
    func foreignTables() async throws {
        try await server.sql("CREATE SCHEMA \(schema); CREATE TABLE \(schema).attendance_records (id integer)")
        let sink = try sink()
        await #expect {
            try await sink.open()
        } throws: { ($0 as? SinkFault)?.message.contains("another program") == true }
    }

    @Test("refuses tables of a newer muster, and changes nothing without leave to")
    func versions() async throws {
        let careful = try sink(["migrate": "false"])
        await #expect { try await careful.open() } throws: { ($0 as? SinkFault)?.kind == .permanent }
        let sink = try sink()
        try await sink.open()
        await sink.close()
        try await careful.open()
        await careful.close()
        try await server.sql("UPDATE \(schema).muster_schema SET version = 99")
        await #expect {
            try await sink.open()
        } throws: { ($0 as? SinkFault)?.message.contains("newer muster") == true }
    }

    @Test("a cancelled delivery ends while the server holds it back")
    func cancellation() async throws {
        let sink = try sink()
        try await sink.open()
        _ = try await sink.deliver([punch(0)])
        // Somebody locks the table; the delivery waits for the lock.
        async let lock = server.sql(
            "BEGIN; LOCK TABLE \(schema).attendance_records IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(8); COMMIT")
        while try await server.sql(
            "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = '\(schema).attendance_records'::regclass"
        ) == ["0"] {}
        let punch = punch(1)
        let delivery = Task { try await sink.deliver([punch]) }
        while try await server.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == ["0"] {}
        delivery.cancel()
        await #expect { _ = try await delivery.value } throws: { ($0 as? SinkFault)?.kind == .cancelled }
        try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(8)%' AND pid <> pg_backend_pid()"
        )
        _ = try? await lock
        await sink.close()
    }
}
