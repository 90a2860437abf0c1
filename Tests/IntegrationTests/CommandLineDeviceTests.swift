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
