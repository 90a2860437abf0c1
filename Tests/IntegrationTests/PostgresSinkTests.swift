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

    @Test("a punch that a rule of the table refuses is refused alone, with the server's words", arguments: [3, 400])
    func poison(_ size: Int64) async throws {
        let sink = try sink()
        try await sink.open()
        try await server.sql(
            """
            ALTER TABLE \(schema).attendance_records ADD CONSTRAINT known_person CHECK (attendance_code <> 'ghost');
            CREATE UNIQUE INDEX one_note ON \(schema).attendance_records (notes) WHERE notes <> '';
            CREATE FUNCTION \(schema).refuse() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'nobody works on Sunday'; END $$;
            CREATE TRIGGER sunday BEFORE INSERT ON \(schema).attendance_records
                FOR EACH ROW WHEN (new.work_code = '7') EXECUTE FUNCTION \(schema).refuse();
            """)
        var batch = (0..<size + 3).map { punch($0) }
        batch[1] = punch(1, code: "ghost")
        batch[2] = punch(2, workCode: "7")
        batch[3] = punch(3, notes: "twice")
        let last = size + 2
        batch[Int(last)] = punch(last, notes: "twice")
        let delivery = try await sink.deliver(batch)
        #expect(delivery.rejected.map(\.position) == [2, 3, last + 1])
        let reasons = delivery.rejected.map(\.reason)
        for (reason, words) in zip(reasons, ["known_person", "nobody works on Sunday", "one_note"]) {
            #expect(reason.contains(words), "\(reasons)")
        }
        #expect(try await count() == Int(size))
        #expect(try await sink.deliver([punch(9_000)]) == .allAccepted)
        await sink.close()
    }

    @Test("what the device said beside a punch does not cost the punch", arguments: [4, 400])
    func oddRawData(_ size: Int64) async throws {
        let sink = try sink()
        try await sink.open()
        var batch = (0..<size).map { punch($0) }
        batch[1] = punch(1, raw: #"{"name": "a\u0000b\ud800\ud83d\ude00", "path": "c:\\u0000"}"#)
        batch[2] = punch(2, raw: "{not json \"\\u0000")
        #expect(try await sink.deliver(batch) == .allAccepted)
        #expect(try await count() == Int(size))
        let raw = try await server.sql(
            """
            SELECT raw_data FROM \(schema).attendance_records
            WHERE "timestamp" IN ('2026-01-05 08:00:01Z', '2026-01-05 08:00:02Z') ORDER BY "timestamp"
            """)
        #expect(
            raw == [
                #"{"name": "a\u{FFFD}b\u{FFFD}😀", "path": "c:\\u0000"}"#.replacing(#"\u{FFFD}"#, with: "\u{FFFD}"),
                #"{"text": "{not json \"\\u0000"}"#,
            ])
        await sink.close()
    }

    @Test(
        "a database of another encoding takes what it can, and raw data as a text", arguments: ["SQL_ASCII", "LATIN1"])
    func encodings(encoding: String) async throws {
        let database = schema + encoding.lowercased()
        try await server.sql("CREATE DATABASE \(database) TEMPLATE template0 ENCODING '\(encoding)'")
        let sink = try sink(["url": "\(server.connectionString) dbname=\(database)"])
        try await sink.open()
        var batch = (0..<150).map { punch($0) }
        batch[1] = punch(1, code: "é", raw: #"{"name": "\ud83d\ude00"}"#)
        batch[2] = punch(2, raw: #"{"name": "😀\u0000"}"#)
        #expect(try await sink.deliver(batch) == .allAccepted)
        await sink.close()
        let rows = try await server.sql(
            """
            SELECT attendance_code, raw_data FROM \(schema).attendance_records
            WHERE "timestamp" BETWEEN '2026-01-05 08:00:01Z' AND '2026-01-05 08:00:02Z' ORDER BY "timestamp"
            """, in: database)
        #expect(
            rows == [
                #"é|{"text": "{\"name\": \"\\ud83d\\ude00\"}"}"#,
                #"7|{"text": "{\"name\": \"\\ud83d\\ude00\\u0000\"}"}"#,
            ])
        try await server.sql("DROP DATABASE \(database) WITH (FORCE)")
    }

    @Test("what every punch would fail at is for people, and no punch is set aside for it")
    func changedTable() async throws {
        let sink = try sink()
        try await sink.open()
        try await server.sql(
            """
            ALTER TABLE \(schema).attendance_records ADD COLUMN branch text NOT NULL DEFAULT '';
            ALTER TABLE \(schema).attendance_records ALTER COLUMN branch DROP DEFAULT
            """)
        for size in [1, 200] as [Int64] {
            try await sink.open()
            let batch = (0..<size).map { punch($0) }
            await #expect {
                _ = try await sink.deliver(batch)
            } throws: { error in
                let fault = error as? SinkFault
                return fault?.kind == .permanent && fault?.message.contains("default") == true
            }
        }
        await sink.close()
        for key in ["schema", "notify"] {
            #expect(throws: ConfigurationError.self) { try self.sink([key: String(repeating: "é", count: 32)]) }
        }
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

    @Test("a rule of the table of devices does not hold up punches; a server that cannot be written is told")
    func refusedDevices() async throws {
        let log = RecordingLog()
        let sink = try PostgresSink(
            settings: try PostgresSettings(
                try PostgresSettings.schema.values(["url": server.connectionString, "schema": schema])),
            context: SinkContext(name: "db", baseDirectory: "/", time: ManualTime(), log: log))
        try await sink.open()
        try await server.sql("ALTER TABLE \(schema).attendance_devices ADD CHECK (name <> 'Lobby')")
        try await sink.report([DeviceReport(device: lobby, name: "Lobby", state: "online")], isComplete: true)
        #expect(log.entries.first?.metadata["reason"]?.contains("check") == true, "\(log.entries)")
        #expect(try await sink.deliver([punch(0)]) == .allAccepted)
        await sink.close()
        let standby = try self.sink([
            "url": server.connectionString + " options='-c default_transaction_read_only=on'"
        ])
        await #expect {
            try await standby.open()
        } throws: { error in
            let fault = error as? SinkFault
            return fault?.kind == .transient && fault?.message.contains("read-only") == true
        }
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
        // This month and the next, by the clock of the host, whatever the punches are.
        let ahead = try await server.sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = '\(schema)' AND tablename ~ '2026_0[12]$' ORDER BY 1")
        #expect(ahead == ["attendance_records_2026_01", "attendance_records_2026_02"])
        // A month that was put away is made anew for a punch that is tried again.
        try await server.sql("DROP TABLE \(schema).attendance_records_2026_03")
        let march = [punch(60 * 86_400)]
        #expect(try await sink.deliver(march).rejected.count == 1)
        #expect(try await sink.deliver(march) == .allAccepted)
        await sink.close()
        let plain = try self.sink()
        await #expect { try await plain.open() } throws: { ($0 as? SinkFault)?.kind == .permanent }
    }

    @Test("a user who may not make tables works with partitions that others made ahead, also of whole years")
    func foreignPartitions() async throws {
        let owner = try sink(["partition": "month"])
        try await owner.open()
        await owner.close()
        let role = "writer_\(schema)"
        try await server.sql(
            """
            CREATE ROLE \(role) LOGIN; GRANT USAGE ON SCHEMA \(schema) TO \(role);
            GRANT ALL ON ALL TABLES IN SCHEMA \(schema) TO \(role);
            GRANT ALL ON ALL SEQUENCES IN SCHEMA \(schema) TO \(role);
            CREATE TABLE \(schema).attendance_records_2026_01 PARTITION OF \(schema).attendance_records
                FOR VALUES FROM ('2026-01-01 00:00:00Z') TO ('2026-02-01 00:00:00Z');
            CREATE TABLE \(schema).attendance_records_2026_02 PARTITION OF \(schema).attendance_records
                FOR VALUES FROM ('2026-02-01 00:00:00Z') TO ('2026-03-01 00:00:00Z');
            CREATE TABLE \(schema).attendance_records_2025 PARTITION OF \(schema).attendance_records
                FOR VALUES FROM ('2025-01-01 00:00:00Z') TO ('2026-01-01 00:00:00Z');
            """)
        let url = "host=\(server.directory) dbname=postgres user="
        let writer = try sink(["partition": "month", "url": url + role, "migrate": "false"])
        try await writer.open()
        #expect(try await writer.deliver([punch(0)]) == .allAccepted)
        await writer.close()
        try await owner.open()
        #expect(try await owner.deliver([punch(-200 * 86_400)]) == .allAccepted)
        #expect(try await count() == 2)
        await owner.close()
        try await server.sql("DROP OWNED BY \(role); DROP ROLE \(role)")
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

    @Test("of several hosts one that is silent does not keep it from the others")
    func severalHosts() async throws {
        let silent = try SilentPort()
        let url = "host=127.0.0.1,\(server.directory) port=\(silent.port),5432 dbname=postgres user=postgres"
        let sink = try sink(["url": url + " connect_timeout=2"])
        try await sink.open()
        #expect(try await sink.deliver([punch(0)]) == .allAccepted)
        await sink.close()
        let alone = try self.sink(["url": "host=127.0.0.1 port=\(silent.port) connect_timeout=1 user=postgres"])
        await #expect {
            try await alone.open()
        } throws: { ($0 as? SinkFault)?.message.contains("did not answer within 2.0 seconds") == true }
    }

    @Test("two hosts in one schema look after their own devices, and are told of a name that both have")
    func twoHosts() async throws {
        func host(_ log: RecordingLog) throws -> PostgresSink {
            try PostgresSink(
                settings: try PostgresSettings(
                    try PostgresSettings.schema.values(["url": server.connectionString, "schema": schema])),
                context: SinkContext(name: "db", baseDirectory: "/", time: ManualTime(), log: log))
        }
        func report(_ name: String) throws -> DeviceReport {
            DeviceReport(device: try #require(DeviceID(name)), name: name, state: "online")
        }
        let (logs, query) = (
            [RecordingLog(), RecordingLog()], "SELECT device, state FROM \(schema).attendance_devices ORDER BY 1"
        )
        let hosts = try logs.map { try host($0) }
        for host in hosts { try await host.open() }
        try await hosts[0].report([report("a1"), report("a2")], isComplete: true)
        try await hosts[1].report([report("b1")], isComplete: true)
        #expect(try await server.sql(query) == ["a1|online", "a2|online", "b1|online"])
        try await hosts[0].report([report("a1")], isComplete: true)
        #expect(try await server.sql(query) == ["a1|online", "a2|removed", "b1|online"])
        #expect(logs.map(\.entries.count) == [0, 0])
        try await hosts[1].report([report("b1"), report("a1")], isComplete: true)
        #expect(logs[1].entries.map { $0.metadata["devices"] } == ["a1"])
        for host in hosts { await host.close() }
    }

    @Test("tables of an older version are brought to the newest, and what stands in them stays")
    func olderVersion() async throws {
        let sink = try sink()
        try await sink.open()
        _ = try await sink.deliver([punch(0)])
        try await sink.report([DeviceReport(device: lobby, name: "Lobby", state: "online")], isComplete: true)
        await sink.close()
        try await server.sql(
            """
            ALTER TABLE \(schema).attendance_devices DROP COLUMN reported_by;
            UPDATE \(schema).muster_schema SET version = 2
            """)
        let careful = try self.sink(["migrate": "false"])
        await #expect { try await careful.open() } throws: { ($0 as? SinkFault)?.kind == .permanent }
        try await sink.open()
        let gate = DeviceReport(device: try #require(DeviceID("gate")), name: "Gate", state: "online")
        try await sink.report([gate], isComplete: true)
        #expect(
            try await server.sql("SELECT device, state FROM \(schema).attendance_devices ORDER BY 1") == [
                "gate|online", "lobby|removed",
            ])
        #expect(try await count() == 1)
        #expect(try await server.sql("SELECT version FROM \(schema).muster_schema") == ["3"])
        await sink.close()
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

/// A port of the loopback address that takes connections and never says a word.
private final class SilentPort: Sendable {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard bound else { throw HarnessError("no port can be bound") }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}
