import Foundation
import Testing
import ZKTecoEmulator

/// The verbs that talk to terminals.
@Suite("The command line and devices")
struct CommandLineDeviceTests {
    private func terminal(_ port: Int, password: UInt32 = 0) -> String {
        """
        data: DATA
        timezone: UTC
        devices:
          terminal:
            name: Gate
            driver: zkteco
            settings: {address: 127.0.0.1, port: \(port), password: "${NO_SUCH_VARIABLE:-\(password)}"}
            schedule: {window: all}
        """
    }

    private func options(records: Int = 300) -> EmulatorOptions {
        var options = EmulatorOptions()
        options.records = records
        return options
    }

    @Test("sync reads the whole log once, and the keys of its JSON are the published ones")
    func sync() async throws {
        try await CommandLineRig.withTerminal(options()) { port in
            try await CommandLineRig.with(terminal(port)) { rig in
                let first = try await rig.muster("sync", "terminal", "--format", "json")
                #expect(first.status == 0, "\(first.standardError)")
                let result = try first.object()
                #expect(result["success"] as? Bool == true)
                #expect(result["device_id"] as? String == "terminal")
                #expect(result["device_name"] as? String == "Gate")
                #expect(result["logs_synced"] as? Int == 300)
                #expect(result["duplicates"] as? Int == 0)
                #expect(result["total_today_logs"] is Int)
                #expect(result["error"] is NSNull)
                let second = try await rig.muster("sync", "--all", "--format", "json").object()
                #expect(second["success"] as? Bool == true)
                #expect(second["total_devices"] as? Int == 1)
                #expect(second["tasks_triggered"] as? Int == 1)
                #expect(second["device_ids"] as? [String] == ["terminal"])
                let results = try #require(second["results"] as? [[String: Any]])
                #expect(results.compactMap { $0["logs_synced"] as? Int } == [0])
                let punches = try await rig.muster("punches", "--limit", "1000", "--format", "jsonl")
                #expect(punches.lines.count == 300)
            }
        }
    }

    @Test("test shows its steps and changes nothing")
    func test() async throws {
        try await CommandLineRig.withTerminal(options()) { port in
            try await CommandLineRig.with(terminal(port)) { rig in
                let output = try await rig.muster("test", "terminal", "--format", "json")
                #expect(output.status == 0, "\(output.standardError)")
                let steps = try output.objects()
                #expect(steps.allSatisfy { $0["result"] as? String == "ok" }, "\(output.text)")
                #expect(steps.contains { ($0["detail"] as? String)?.contains("ZKT0000000001") == true })
                #expect(steps.contains { ($0["detail"] as? String)?.contains("300") == true })
                #expect(
                    steps.compactMap { $0["step"] as? String } == [
                        "resolve", "route", "port", "protocol", "credentials", "identity", "clock", "counts",
                        "first record", "live events",
                    ])
                #expect(steps.allSatisfy { $0["milliseconds"] is Int && $0["remedy"] is NSNull })
                #expect(!FileManager.default.fileExists(atPath: rig.path("data/journal.sqlite")))
            }
        }
    }

    @Test("a terminal that refuses the comm key is 77, one that is not there is 75", arguments: ["sync", "test"])
    func failures(verb: String) async throws {
        var locked = options()
        locked.commKey = 1234
        try await CommandLineRig.withTerminal(locked) { port in
            try await CommandLineRig.with(terminal(port, password: 4321)) { rig in
                try await rig.expect(77, verb, "terminal")
            }
            try await CommandLineRig.with(terminal(port, password: 1234)) { rig in
                try await rig.expect(0, verb, "terminal")
            }
        }
        try await CommandLineRig.with(terminal(try FreePort.next())) { rig in
            try await rig.expect(75, verb, "terminal")
            try await rig.expect(64, verb, "nobody")
        }
    }

    @Test("a failed step has a reason and a remedy, and those after it are left out")
    func remedies() async throws {
        var locked = options()
        locked.commKey = 1234
        try await CommandLineRig.withTerminal(locked) { port in
            try await CommandLineRig.with(terminal(port)) { rig in
                let steps = try await rig.muster("test", "terminal", "--format", "json").objects()
                #expect(steps.compactMap { $0["result"] as? String } == ["ok", "ok", "ok", "ok", "failed"])
                #expect(steps.last?["step"] as? String == "credentials")
                #expect((steps.last?["remedy"] as? String)?.contains("configuration") == true)
            }
        }
        try await CommandLineRig.with(terminal(try FreePort.next())) { rig in
            let output = try await rig.muster("test", "terminal")
            #expect(output.text.contains("→ something answers at the address"), "\(output.text)")
        }
    }

    @Test("discover finds terminals, locked ones too, and writes what the configuration needs", .timeLimit(.minutes(2)))
    func discover() async throws {
        var options = options(records: 5)
        options.host = "127.0.3.1"
        options.port = try FreePort.next()
        options.pacing = .zero
        let fleet = try await EmulatorFleet.bind(options, count: 3, spread: .addresses)
        var locked = options
        locked.host = "127.0.3.5"
        locked.commKey = 77
        locked.transports = .udp
        let udp = try await EmulatorServer.bind(locked)
        let running = Task {
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { try await fleet.run() }
                group.addTask { try await udp.run() }
            }
        }
        defer { running.cancel() }
        let port = String(options.port)
        try await CommandLineRig.with(nil) { rig in
            let found = try await rig.muster("discover", "127.0.3.0/29", "--port", port, "--format", "json")
            #expect(found.status == 0, "\(found.standardError)")
            let devices = try found.objects()
            #expect(
                devices.compactMap { $0["address"] as? String } == ["127.0.3.1", "127.0.3.2", "127.0.3.3", "127.0.3.5"])
            #expect(devices.compactMap { $0["serial_number"] as? String }.first == "ZKT0000000001")
            #expect(devices.last?["locked"] as? Bool == true && devices.last?["transport"] as? String == "udp")
            let yaml = try await rig.muster("discover", "127.0.3.0/29", "--port", port, "--yaml").text
            #expect(yaml.contains("zkt0000000002:") && yaml.contains("device-127-0-3-5:"))
            let open = yaml.replacing("${DEVICE_DEVICE_127_0_3_5_KEY}", with: "${NO_SUCH_VARIABLE:-77}")
            #expect(open != yaml)
            try rig.write("muster.yaml", "data: \(rig.path("data"))\ntimezone: UTC\n" + open)
            try await rig.expect(0, "sync", "--all")
            // What is configured is not written again.
            let again = try await rig.muster("discover", "127.0.3.0/29", "--port", port, "--yaml")
            #expect(again.text == "devices: {}\n", "\(again.text)")
        }
        try await CommandLineRig.expect(64, "discover", "8.8.8.0/30")
        try await CommandLineRig.expect(64, "discover", "10.0.0.0/8")
    }

    @Test("a failed sync still prints its JSON, with the reason")
    func failedSync() async throws {
        try await CommandLineRig.with(terminal(try FreePort.next())) { rig in
            let output = try await rig.muster("sync", "terminal", "--format", "json")
            #expect(output.status == 75)
            let result = try output.object()
            #expect(result["success"] as? Bool == false)
            #expect(result["error"] is String)
        }
    }

    @Test("the console does from a pipe what its commands do")
    func console() async throws {
        try await CommandLineRig.withTerminal(options(records: 5)) { port in
            try await CommandLineRig.with(terminal(port)) { rig in
                let output = try await rig.muster("console", input: "1\n2\n1\n3\nterminal\n4\n5\n9\nq\n")
                #expect(output.status == 0)
                let parts = ["Gate", "connected and authenticated", "RESULT", "DIRECTION", "from 1 to 6", "Goodbye"]
                var rest = output.text[...]
                for part in parts {
                    let found = try #require(rest.range(of: part), "\(part) is missing in: \(rest)")
                    rest = rest[found.upperBound...]
                }
                let ended = try await rig.muster("console", input: "")
                #expect(ended.status == 0)
            }
        }
    }
}
