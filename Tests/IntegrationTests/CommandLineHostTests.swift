import Foundation
import Testing

/// The host, and the verbs that read what it has collected.
@Suite("The command line and the journal")
struct CommandLineHostTests {
    /// A simulated terminal with some punches a second from a fixed morning on.
    private static let lively = """
        data: DATA
        timezone: UTC
        sinks:
          audit: {type: file, path: "DATA/audit.jsonl"}
        devices:
          lobby:
            driver: simulator
            settings: {people: 200, rate: 10/s, seed: 7, start: "START"}
            sinks: [audit]
        """

    private func configuration() -> String {
        // The log begins a few seconds ago, so that every run has some of it to read and some to wait for.
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "yyyy-MM-dd HH:mm:ss"
        return Self.lively.replacing("START", with: format.string(from: Date(timeIntervalSinceNow: -5)))
    }

    private let quiet = """
        data: DATA
        timezone: Asia/Ho_Chi_Minh
        devices:
          lobby: {driver: simulator, settings: {people: 10, history: 3d}}
        """

    @Test("run collects from the simulator, shows punches, delivers them, and stops by itself")
    func run() async throws {
        try await CommandLineRig.with(configuration()) { rig in
            let host = try await rig.muster("run", "--for", "4s", "--show")
            #expect(host.status == 0, "\(host.standardError)")
            let punches = try await rig.muster("punches", "--limit", "100000", "--format", "jsonl")
            #expect(punches.lines.count > 50)
            #expect(punches.lines.contains { $0.contains(#""source":"capture""#) })
            #expect(host.lines.contains { $0.contains("lobby") })
            let audit = try String(contentsOfFile: rig.path("data/audit.jsonl"), encoding: .utf8)
            #expect(audit.split(separator: "\n").count == punches.lines.count)
            let status = try await rig.muster("status", "--format", "json").objects()
            #expect(status.first?["state"] as? String == "stopped")
            #expect(status.first?["journaled"] as? Int == punches.lines.count)
        }
    }

    @Test("run --once polls every device and exits")
    func once() async throws {
        try await CommandLineRig.with(quiet) { rig in
            let output = try await rig.muster("run", "--once")
            #expect(output.status == 0, "\(output.standardError)")
            #expect(output.text.contains("lobby"))
            let punches = try await rig.muster("punches")
            #expect(!punches.lines.isEmpty)
        }
    }

    @Test("every format of punches has the same punches, and JSON has the published keys in their order")
    func formats() async throws {
        try await CommandLineRig.with(quiet) { rig in
            try await rig.expect(0, "sync", "lobby")
            let lines = try await rig.muster("punches", "--since", "-30d", "--format", "jsonl").lines
            let count = lines.count
            #expect(count > 20)
            let json = try await rig.muster("punches", "--since", "-30d", "--format", "json").objects()
            let csv = try await rig.muster("punches", "--since", "-30d", "--format", "csv").lines
            let table = try await rig.muster("punches", "--since", "-30d").lines
            #expect(json.count == count)
            #expect(csv.count == count + 1)
            #expect(table.count == count + 1)
            #expect(csv.first?.hasPrefix("device,code,time,local_time,direction,verification,work_code,source") == true)
            var rest = try #require(lines.first)
            for key in [
                "device", "code", "time", "local_time", "direction", "verification", "work_code", "source",
                "received_at", "is_valid", "notes", "raw",
            ] {
                let found = try #require(rest.range(of: "\"\(key)\":"), "\(key) is missing or out of order")
                rest = rest[found.upperBound...]
            }
            let newest = try await rig.muster("punches", "--limit", "3", "--format", "jsonl").lines
            #expect(newest == lines.suffix(3))
            let code = try #require(json.first?["code"] as? String)
            let own = try await rig.muster("punches", "--code", code, "--since", "-30d", "--format", "json").objects()
            #expect(!own.isEmpty && own.allSatisfy { $0["code"] as? String == code })
            let none = try await rig.muster("punches", "--until", "2000-01-01", "--format", "json").objects()
            #expect(none.isEmpty)
        }
    }

    @Test("an imported attlog.dat is counted first, taken once, and adds nothing the second time")
    func importing() async throws {
        try await CommandLineRig.with(quiet) { rig in
            try rig.write(
                "1_attlog.dat",
                """
                     1042\t2026-11-23 08:01:02\t1\t0\t15\t0\r
                     1042\t2026-11-23 17:30:00\t1\t1\t1\t0\r
                        7\t1999-01-01 00:00:00\t1\t0\t1\t0\r
                        8\tyesterday\t1\t0\t1\t0\r\n
                """)
            func take(_ extra: String...) async throws -> [String: Any] {
                let output = try await ChildProcess.run(
                    CommandLineRig.binary,
                    ["import", rig.path("1_attlog.dat"), "--device", "lobby", "--format", "json"]
                        + ["--config", rig.path("muster.yaml")] + extra)
                #expect(output.status == 0, "\(output.standardError)")
                #expect(output.standardError.contains("1_attlog.dat:4: not read"))
                return try #require(try output.objects().first)
            }
            let dry = try await take("--dry-run")
            #expect(dry["new"] as? Int == 3)
            #expect(dry["implausible"] as? Int == 1)
            #expect(dry["unreadable"] as? Int == 1)
            #expect(dry["layout"] as? String == "usb")
            let first = try await take()
            #expect(first["new"] as? Int == 3)
            #expect(first["known"] as? Int == 0)
            let second = try await take()
            #expect(second["new"] as? Int == 0)
            #expect(second["known"] as? Int == 3)
            let punches = try await rig.muster("punches", "--limit", "100", "--format", "json").objects()
            #expect(punches.count == 3)
            #expect(punches.allSatisfy { $0["source"] as? String == "import" })
            #expect(punches.first?["time"] as? String == "2026-11-23T01:01:02Z")
        }
    }

    @Test("while a host runs, import waits its turn and sync goes through the host")
    func besideTheHost() async throws {
        try await CommandLineRig.with(configuration()) { rig in
            try rig.write("attlog.dat", "1\t2026-11-23 08:01:02\t1\t0\t15\t0\n")
            async let host = rig.muster("run", "--for", "6s")
            // The control socket answers once the host is up; until then sync may find no host and no lock.
            var state = ""
            for _ in 0..<100 where state != "online" {
                try await Task.sleep(for: .milliseconds(50))
                let status = try await rig.muster("status", "--format", "json")
                guard status.status == 0 else { continue }
                state = try status.objects().first?["state"] as? String ?? ""
            }
            #expect(state == "online")
            let refused = try await rig.muster("import", rig.path("attlog.dat"), "--device", "lobby")
            #expect(refused.status == 75)
            #expect(refused.standardError.contains("error: "))
            let synced = try await rig.muster("sync", "lobby", "--format", "json")
            #expect(synced.status == 0, "\(synced.standardError)")
            #expect(try synced.object()["success"] as? Bool == true)
            let ended = try await host
            #expect(ended.status == 0, "\(ended.standardError)")
        }
    }
}
