import Foundation
import Testing

@Suite("muster's commands for deliveries and imports", .timeLimit(.minutes(2)))
struct CommandLineDeliveryTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func configuration(_ sinks: String = "") -> String {
        """
        data: DATA
        timezone: Asia/Ho_Chi_Minh
        \(sinks)
        devices:
          lobby: {name: Main entrance, driver: simulator, enabled: false SINKS}
          gate: {driver: simulator, enabled: false SINKS}
        """.replacing(" SINKS", with: sinks.isEmpty ? "" : ", sinks: [hr]")
    }

    private func run(_ rig: CommandLineRig, _ arguments: String...) async throws -> ChildOutput {
        try await ChildProcess.run(CommandLineRig.binary, arguments + ["--config", rig.path("muster.yaml")])
    }

    @Test("dead letters are shown, retried and discarded, and punches are replayed; with a host and without")
    func deadLetters() async throws {
        try await PythonServer.with("webhook_receiver", Self.secret) { server in
            let sinks = """
                sinks:
                  hr: {type: webhook, url: "\(server.url)/in", secrets: ["\(Self.secret)"]}
                """
            try await CommandLineRig.with(configuration(sinks)) { rig in
                try rig.write(
                    "old.csv",
                    """
                    device,code,time
                    lobby,7,2026-01-05T08:00:00Z
                    gate,gone,2026-01-05T08:00:01Z
                    gate,8,2026-01-05T08:00:02Z
                    """)
                #expect(try await run(rig, "import", rig.path("old.csv")).status == 0)
                #expect(try await run(rig, "run", "--for", "1s").status == 0)
                var letters = try await run(rig, "deadletters", "--format", "json").objects()
                #expect(letters.count == 1)
                #expect(letters.first?["reason"] as? String == "left the company")
                #expect(letters.first?["state"] as? String == "parked")
                #expect((letters.first?["punch"] as? [String: Any])?["code"] as? String == "gone")
                let position = try #require(letters.first?["position"] as? Int)

                let retried = try await run(rig, "deadletters", "retry", "--sink", "hr", String(position))
                #expect(retried.text == "hr tries 1 punch again after the next muster run\n")
                letters = try await run(rig, "deadletters", "list", "--sink", "hr", "--format", "json").objects()
                #expect(letters.first?["state"] as? String == "retrying")
                async let host = run(rig, "run", "--for", "5s")
                for _ in 0..<100 where letters.first?["attempts"] as? Int != 2 {
                    try await Task.sleep(for: .milliseconds(50))
                    letters = try await run(rig, "deadletters", "--format", "json").objects()
                }
                #expect(letters.first?["attempts"] as? Int == 2)
                #expect(letters.first?["state"] as? String == "parked")
                // The running host carries these out.
                let discarded = try await run(rig, "deadletters", "discard", "--sink", "hr", "--all")
                #expect(discarded.text == "discarded 1 punch of hr\n")
                let replayed = try await run(rig, "replay", "--sink", "hr", "--device", "gate", "--since", "2026-01-01")
                #expect(replayed.text == "hr gets 2 punches again\n")
                #expect(try await host.status == 0)
                #expect(try await run(rig, "deadletters", "--format", "json").objects().count == 1)
                let requests = try #require(try await server.model()["requests"] as? [[Any]])
                #expect(requests.map { $0.last as? Int } == [3, 1, 2])
                #expect((try await server.model()["punches"] as? [[String]])?.count == 2)
                #expect(try await run(rig, "deadletters", "retry", "--sink", "none", "--all").status == 64)
                #expect(try await run(rig, "deadletters", "retry", "--sink", "hr").status == 64)
                #expect(try await run(rig, "replay", "--sink", "hr").status == 64)
            }
        }
    }

    @Test("directions are previewed as a policy would deliver them, and the raw number stays")
    func policyPreview() async throws {
        try await CommandLineRig.with(configuration()) { rig in
            try rig.write(
                "day.csv",
                """
                user_id,timestamp,punch
                7,2026-01-05 08:00:00,255
                7,2026-01-05 12:00:00,255
                8,2026-01-05 12:30:00,255
                7,2026-01-05 17:00:00,255
                """)
            #expect(try await run(rig, "import", rig.path("day.csv"), "--device", "lobby").status == 0)
            for (policy, expected) in [
                ("device", ["unknown", "unknown", "unknown", "unknown"]),
                ("first-in-last-out", ["in", "out", "in", "out"]),
                ("alternate", ["in", "out", "in", "in"]), ("fixed-out", ["out", "out", "out", "out"]),
            ] {
                let punches = try await run(rig, "punches", "--policy", policy, "--format", "json").objects()
                #expect(punches.map { $0["direction"] as? String } == expected, "\(policy)")
                #expect(punches.allSatisfy { $0["direction_raw"] as? Int == 255 })
            }
            let wrong = try await run(rig, "punches", "--policy", "guess")
            #expect(wrong.status == 64)
            #expect(wrong.standardError.contains("first-in-last-out"))
        }
    }

    @Test("a table of an older system is counted, taken once, and gone on with")
    func olderTable() async throws {
        let server = try await PostgresServer.shared.value
        let schema = "old" + UUID().uuidString.prefix(8).lowercased()
        // As Django's migrations make it.
        try await server.sql(
            """
            CREATE SCHEMA \(schema);
            CREATE TABLE \(schema).attendance_attendancedevice (id bigserial PRIMARY KEY, name varchar(100) NOT NULL,
                serial_number varchar(100));
            CREATE TABLE \(schema).attendance_attendancerecord (id bigserial PRIMARY KEY,
                device_id bigint NOT NULL REFERENCES \(schema).attendance_attendancedevice (id) DEFERRABLE INITIALLY DEFERRED,
                attendance_code varchar(50) NOT NULL, "timestamp" timestamptz NOT NULL, is_valid boolean NOT NULL,
                notes text NOT NULL, raw_data jsonb);
            INSERT INTO \(schema).attendance_attendancedevice (name, serial_number) VALUES ('Main entrance', 'A1'),
                ('Back door', 'B2');
            INSERT INTO \(schema).attendance_attendancerecord (device_id, attendance_code, "timestamp", is_valid, notes, raw_data)
                SELECT 1 + n % 2, (n % 50)::text, '2026-01-05T01:00:00Z'::timestamptz + n * interval '1 minute', true, '',
                    jsonb_build_object('uid', n, 'status', 15, 'punch', n % 2)
                FROM generate_series(0, 11999) AS n;
            """)
        try await CommandLineRig.with(configuration()) { rig in
            let source = [
                "import", "--postgres", server.connectionString, "--table", "\(schema).attendance_attendancerecord",
                "--format", "json", "--config", rig.path("muster.yaml"),
            ]
            func take(_ extra: String...) async throws -> (ChildOutput, [String: Any]) {
                let output = try await ChildProcess.run(CommandLineRig.binary, source + extra)
                return (output, try #require(try output.objects().first, "\(output.standardError)"))
            }
            // The one door has a name of ours, the other is not known yet.
            let (unmapped, counts) = try await take("--dry-run")
            #expect(unmapped.status == 64)
            #expect(unmapped.standardError.contains("6000 punches of 'B2'"))
            #expect(counts["new"] as? Int == 6_000)
            let (_, dry) = try await take("--map", "B2=gate", "--dry-run")
            #expect(dry["new"] as? Int == 12_000)
            let (first, taken) = try await take("--map", "Back door=gate")
            #expect(first.status == 0, "\(first.standardError)")
            #expect(taken["new"] as? Int == 12_000)
            #expect(taken["known"] as? Int == 0)
            // Ten more arrive there, one that was struck out, and one that a terminal has told us already.
            try await server.sql(
                """
                INSERT INTO \(schema).attendance_attendancerecord (device_id, attendance_code, "timestamp", is_valid, notes)
                    SELECT 1, '7', '2026-03-01T01:00:00Z'::timestamptz + n * interval '1 minute', true, ''
                    FROM generate_series(1, 10) AS n
                    UNION ALL SELECT 1, '900', '2026-03-02T01:00:00Z', false, 'typed twice'
                    UNION ALL SELECT 1, '0', '2026-01-05T01:00:00Z', true, ''
                """)
            let (second, more) = try await take("--map", "2=gate")
            #expect(second.standardError.contains("going on after the row with id 12000"))
            #expect(more["lines"] as? Int == 12)
            #expect(more["new"] as? Int == 11)
            #expect(more["known"] as? Int == 1)
            let (_, again) = try await take("--map", "2=gate", "--from-start")
            #expect(again["new"] as? Int == 0)
            #expect(again["known"] as? Int == 12_012)
            let struck = try await run(rig, "punches", "--code", "900", "--format", "json").objects()
            #expect(struck.first?["is_valid"] as? Bool == false)
            #expect(struck.first?["notes"] as? String == "typed twice")
            // A table of this name at another server is another table.
            var elsewhere = source
            elsewhere[2] = server.connectionString.replacing(server.directory, with: server.directory + "/")
            let other = try await ChildProcess.run(CommandLineRig.binary, elsewhere + ["--map", "2=gate", "--dry-run"])
            #expect(try other.objects().first?["lines"] as? Int == 12_012, "\(other.standardError)")
            let punches = try await run(rig, "punches", "--device", "gate", "--limit", "1", "--format", "json")
                .objects()
            #expect(punches.first?["verification"] as? String == "face")
            #expect(punches.first?["direction"] as? String == "out")
            let wrong = try await ChildProcess.run(
                CommandLineRig.binary,
                [
                    "import", "--postgres", server.connectionString, "--table", "none", "--config",
                    rig.path("muster.yaml"),
                ])
            #expect(wrong.status == 69)
            #expect(wrong.standardError.contains("none"))
        }
        try await server.sql("DROP SCHEMA \(schema) CASCADE")
    }
}
