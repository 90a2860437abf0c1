import DeviceKit
import Foundation
import Testing
import ZKTecoEmulator

/// `muster device`: without a host, and through a running one.
@Suite("muster device")
struct CommandLineDeviceVerbTests {
    private func terminal(_ port: Int, _ settings: String = "credentials: true, clear_log: true") -> String {
        """
        data: DATA
        timezone: UTC
        devices:
          gate:
            driver: zkteco
            settings: {address: 127.0.0.1, port: \(port), \(settings)}
            schedule: {window: all}
          booth:
            driver: simulator
            settings: {people: 3}
        """
    }

    private func options(_ change: (inout EmulatorOptions) -> Void = { _ in }) -> EmulatorOptions {
        var options = EmulatorOptions()
        options.records = 200
        // A host and a command would shut each other out.
        options.allowsOneConnection = true
        change(&options)
        return options
    }

    /// Runs `body` without a host, and again beside one that holds the terminal's only connection.
    private func both(
        _ options: EmulatorOptions, _ body: (CommandLineRig) async throws -> Void
    ) async throws {
        try await CommandLineRig.withTerminal(options) { port in
            try await CommandLineRig.with(terminal(port)) { try await body($0) }
        }
        try await CommandLineRig.withTerminal(options) { port in
            try await CommandLineRig.with(terminal(port)) { rig in
                try await rig.withHost { try await body(rig) }
            }
        }
    }

    @Test("info, options and clock", .timeLimit(.minutes(2)))
    func information() async throws {
        try await both(options()) { rig in
            let info = try await rig.muster("device", "gate", "info", "--format", "json")
            #expect(info.status == 0, "\(info.standardError)")
            let object = try info.object()
            #expect(object["serial_number"] as? String == "ZKT0000000001")
            #expect(object["people"] as? Int == 20 && object["records"] as? Int == 200)
            #expect(object["netmask"] as? String == "255.255.255.0")
            #expect((object["options"] as? [String: String])?["~PIN2Width"] == "9")
            let option = try await rig.muster("device", "gate", "options", "~OS", "Nothing", "--format", "jsonl")
            #expect(option.status == 64 && option.text == "{\"name\":\"~OS\",\"value\":\"1\"}\n")
            let set = try await rig.muster("device", "gate", "clock", "--set", "2026-01-01 12:00", "--yes")
            #expect(set.status == 0 && set.text.hasPrefix("2026-01-01 12:00:0"))
            let now = try await rig.muster("device", "gate", "clock", "--set", "now", "--yes", "--format", "json")
            #expect(abs(try #require(try now.object()["drift_seconds"] as? Int)) <= 2)
        }
    }

    @Test(
        "people are added, changed, disabled and removed; passwords come from a file and show nowhere",
        .timeLimit(.minutes(2)))
    func people() async throws {
        try await both(options()) { rig in
            try rig.write("password", "74185296\nsecond line\n")
            let put = try await rig.muster(
                "device", "gate", "people", "put", "5005", "--name", "Zoë Quinn", "--privilege", "enroller", "--card",
                "123456", "--group", "2", "--password-from", rig.path("password"), "--yes", "--format", "json",
                "--log-level", "trace")
            #expect(put.status == 0, "\(put.standardError)")
            #expect(try put.object()["outcome"] as? String == "added")
            let disable = try await rig.muster(
                "device", "gate", "people", "disable", "5005", "--yes", "--log-level", "trace")
            #expect(disable.status == 0 && disable.text.contains("disabled 5005"))
            let list = try await rig.muster("device", "gate", "people", "--format", "json")
            let person = try #require(try list.objects().first { $0["code"] as? String == "5005" })
            #expect(person["name"] as? String == "Zoë Quinn" && person["privilege"] as? String == "enroller")
            #expect(person["enabled"] as? Bool == false && person["card"] as? String == "123456")
            #expect(person["group"] as? Int == 2)
            #expect(try list.objects().count == 21)
            let csv = try await rig.muster("device", "gate", "people", "list", "--format", "csv")
            #expect(csv.lines.count == 22)
            let delete = try await rig.muster("device", "gate", "people", "delete", "5005", "--yes")
            #expect(delete.status == 0)
            try await rig.expect(64, "device", "gate", "people", "delete", "5005", "--yes")
            try await rig.expect(64, "device", "gate", "people", "enable", "5005", "--yes")
            try await rig.expect(64, "device", "gate", "people", "put", "12345678901", "--yes")
            for output in [put, disable, list, csv, delete] {
                #expect(!(output.text + output.standardError).contains("74185296"))
            }
            #expect(try !rig.holds("74185296"))
        }
    }

    @Test("what changes a device is not done without an answer", .timeLimit(.minutes(2)))
    func confirmation() async throws {
        let seen = CommandsSeen()
        try await CommandLineRig.withTerminal(options { $0.observer = { seen.observe($0) } }) { port in
            try await CommandLineRig.with(terminal(port)) { rig in
                try rig.write("empty", "{}")
                for words in [
                    ["clock", "--set", "now"], ["people", "put", "7"], ["people", "delete", "1001"],
                    ["people", "enable", "1001"], ["people", "disable", "1001"], ["templates", "delete", "1001"],
                    ["enrol", "1001"], ["door", "unlock"], ["message", "x"], ["message", "--clear"], ["restart"],
                    ["power-off"], ["clear-log"], ["clear-oplog", "x"],
                ] {
                    let output = try await ChildProcess.run(
                        CommandLineRig.binary, ["device", "gate"] + words + ["--config", rig.path("muster.yaml")])
                    #expect(output.status == 64, "\(words)")
                    #expect(output.standardError.contains("--yes"), "\(words): \(output.standardError)")
                }
                try await rig.expect(64, "device", "gate", "templates", "restore", rig.path("empty"), "--yes")
                try await rig.expect(64, "device", "gate", "dance")
                try await rig.expect(64, "device", "nobody", "info")
                try await CommandLineRig.expect(0, "device", "gate")
            }
        }
        #expect(seen.all.isEmpty)
    }

    @Test("door, voice, message, restart and the log of operations", .timeLimit(.minutes(2)))
    func site() async throws {
        let seen = CommandsSeen()
        try await both(options { $0.observer = { seen.observe($0) } }) { rig in
            let unlock = try await rig.muster("device", "gate", "door", "unlock", "--seconds", "4", "--yes")
            #expect(unlock.status == 0 && unlock.text.contains("sent 40"), "\(unlock.text)\(unlock.standardError)")
            let door = try await rig.muster("device", "gate", "door", "--format", "json").object()
            #expect(door["door"] as? String == "unknown")
            try await rig.expect(0, "device", "gate", "voice", "10")
            try await rig.expect(0, "device", "gate", "message", "Good morning", "--line", "1", "--yes")
            try await rig.expect(0, "device", "gate", "message", "--clear", "--yes")
            try await rig.expect(64, "device", "gate", "door", "unlock", "--seconds", "4000", "--yes")
            let oplog = try await rig.muster("device", "gate", "oplog", "--format", "json").objects()
            #expect(oplog.contains { $0["operation"] as? String == "unlock the door" })
            let file = rig.path("operations.json")
            try? FileManager.default.removeItem(atPath: file)
            let clear = try await rig.muster("device", "gate", "clear-oplog", file, "--yes", "--format", "json")
            #expect(clear.status == 0, "\(clear.standardError)")
            #expect(try clear.object()["operations"] as? Int == oplog.count)
            let saved = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file)))
            let kept = (saved as? [String: Any])?["operations"] as? [[String: Any]]
            #expect(kept?.compactMap { $0["raw"] as? String } == oplog.compactMap { $0["raw"] as? String })
            #expect(try await rig.muster("device", "gate", "oplog", "--format", "json").objects().isEmpty)
            try await rig.expect(64, "device", "gate", "clear-oplog", file, "--yes")
            try await rig.expect(0, "device", "gate", "restart", "--yes")
        }
        #expect(seen.count { $0 == .unlocked(40) } == 2)
        #expect(seen.count { $0 == .spoke(10) } == 2)
        #expect(seen.count { $0 == .restarted } == 2)
    }

    @Test(
        "templates go into a file for its owner only, and come back; nothing else ever shows them",
        .timeLimit(.minutes(2)))
    func templates() async throws {
        try await both(options()) { rig in
            let file = rig.path("templates.json")
            try? FileManager.default.removeItem(atPath: file)
            let save = try await rig.muster("device", "gate", "templates", "save", file, "--log-level", "trace")
            #expect(save.status == 0, "\(save.standardError)")
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            let saved = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file))) as? [String: Any])
            let items = try #require(saved["templates"] as? [[String: Any]])
            let canary = try #require(items.first?["bytes"] as? String)
            #expect(saved["serial_number"] as? String == "ZKT0000000001" && items.count > 5)
            try await rig.expect(64, "device", "gate", "templates", "save", file)
            let code = try #require(items.first?["code"] as? String)
            let delete = try await rig.muster(
                "device", "gate", "templates", "delete", code, "--yes", "--format", "json")
            #expect(try delete.object()["removed"] as? Int == 1)
            let restore = try await rig.muster(
                "device", "gate", "templates", "restore", file, "--yes", "--log-level", "trace")
            #expect(restore.status == 0, "\(restore.standardError)")
            let list = try await rig.muster("device", "gate", "templates", "--format", "json")
            #expect(try list.objects().count == items.count)
            let again = rig.path("again.json")
            try? FileManager.default.removeItem(atPath: again)
            try await rig.expect(0, "device", "gate", "templates", "save", again)
            #expect(FileManager.default.contents(atPath: file) == FileManager.default.contents(atPath: again))
            for output in [save, delete, restore, list] {
                #expect(!(output.text + output.standardError).contains(canary.prefix(24)))
            }
            let bytes = try #require(Data(base64Encoded: canary)).prefix(24)
            #expect(try !rig.holds(canary.prefix(24)) && !rig.holds(HexDump.hex(bytes)) && !rig.holds(bytes))
        }
    }

    @Test("templates and clearing are off unless the settings allow them", .timeLimit(.minutes(2)))
    func off() async throws {
        try await CommandLineRig.withTerminal(options()) { port in
            try await CommandLineRig.with(terminal(port, "password: \"0\"")) { rig in
                let list = try await rig.muster("device", "gate", "templates")
                #expect(list.status == 78 && list.standardError.contains("credentials: true"))
                let clear = try await rig.muster("device", "gate", "clear-log", "--yes")
                #expect(clear.status == 78 && clear.standardError.contains("clear_log: true"))
            }
        }
    }

    @Test("an enrolment shows its steps; one that fails is 77", .timeLimit(.minutes(2)))
    func enrol() async throws {
        try await both(options()) { rig in
            let output = try await rig.muster("device", "gate", "enrol", "1002", "--finger", "3", "--yes")
            #expect(output.status == 0, "\(output.standardError)")
            #expect(output.standardError.contains("waiting for the finger"))
            #expect(output.standardError.split(separator: "\n").count { $0 == "a good sample" } == 3)
            #expect(output.text.contains("enrolled finger 3 of 1002"))
        }
        try await both(options { $0.enrolment = .duplicate }) { rig in
            try await rig.expect(77, "device", "gate", "enrol", "1002", "--finger", "3", "--yes")
        }
    }

    @Test("clearing the log takes it into the journal first, and is no surprise afterwards", .timeLimit(.minutes(2)))
    func clearLog() async throws {
        try await both(options()) { rig in
            let clear = try await rig.muster("device", "gate", "clear-log", "--yes", "--format", "json")
            #expect(clear.status == 0, "\(clear.standardError)")
            #expect(try clear.object()["records"] as? Int == 200)
            let punches = try await rig.muster("punches", "--device", "gate", "--limit", "1000", "--format", "jsonl")
            #expect(punches.lines.count == 200)
            let info = try await rig.muster("device", "gate", "info", "--format", "json").object()
            #expect(info["records"] as? Int == 0)
            let sync = try await rig.muster("sync", "gate", "--format", "json").object()
            #expect(sync["success"] as? Bool == true && sync["logs_synced"] as? Int == 0)
            let status = try await rig.muster("status", "--format", "json")
            #expect(!status.text.contains("log-cleared"), "\(status.text)")
        }
    }

    @Test("a log is not cleared where the window left records out", .timeLimit(.minutes(2)))
    func window() async throws {
        try await CommandLineRig.withTerminal(options()) { port in
            try await CommandLineRig.with(terminal(port).replacing("window: all", with: "window: today")) { rig in
                let clear = try await rig.muster("device", "gate", "clear-log", "--yes")
                #expect(clear.status == 77 && clear.standardError.contains("window"), "\(clear.standardError)")
                let info = try await rig.muster("device", "gate", "info", "--format", "json").object()
                #expect(info["records"] as? Int == 200)
            }
        }
    }

    @Test("the simulator can be tried without a terminal", .timeLimit(.minutes(2)))
    func simulator() async throws {
        try await CommandLineRig.with(terminal(4_370)) { rig in
            let info = try await rig.muster("device", "booth", "info", "--format", "json").object()
            #expect(info["people"] as? Int == 3 && info["model"] as? String == "Simulator")
            let put = try await rig.muster("device", "booth", "people", "put", "77", "--name", "Zoe", "--yes")
            #expect(put.status == 0)
            try await rig.expect(0, "device", "booth", "door", "unlock", "--yes")
            let unsupported = try await rig.muster("device", "booth", "oplog")
            #expect(unsupported.status == 78 && unsupported.standardError.contains("operation-log"))
        }
    }

    @Test("a terminal that refuses the comm key is 77, one that is not there is 75", .timeLimit(.minutes(2)))
    func failures() async throws {
        try await CommandLineRig.withTerminal(options { $0.commKey = 99 }) { port in
            try await CommandLineRig.with(terminal(port)) { try await $0.expect(77, "device", "gate", "info") }
        }
        try await CommandLineRig.with(terminal(try FreePort.next())) {
            try await $0.expect(75, "device", "gate", "info")
        }
    }

    @Test("what we write pyzk reads, and the other way round", .timeLimit(.minutes(2)))
    func roundTrip() async throws {
        try await CommandLineRig.withTerminal(options { $0.allowsOneConnection = false }) { port in
            try await CommandLineRig.with(terminal(port)) { rig in
                try rig.write("password", "4711")
                try await rig.expect(
                    0, "device", "gate", "people", "put", "5005", "--name", "Zoë Quinn", "--privilege",
                    "administrator", "--card", "4294967295", "--password-from", rig.path("password"), "--yes")
                let users = try await Self.pyzk(port, "users").objects()
                let zoe = try #require(users.first { $0["code"] as? String == "5005" })
                #expect(zoe["name"] as? String == "Zoë Quinn" && zoe["password"] as? String == "4711")
                #expect(zoe["privilege"] as? Int == 14 && zoe["card"] as? Int == 4_294_967_295)
                let uid = try #require(zoe["uid"] as? Int)

                // pyzk's templates of Zoe, read by us, moved to somebody else by us, read by pyzk.
                let bytes = HexDump.hex((0..<400).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) })
                let text = "{\"uid\": \(uid), \"templates\": [{\"finger\": 4, \"bytes\": \"\(bytes)\"}]}"
                let written = try await Self.pyzk(port, "save-templates", text).objects()
                #expect(written.map { $0["bytes"] as? String } == [bytes])
                let file = rig.path("zoe.json")
                try await rig.expect(0, "device", "gate", "templates", "save", file, "--code", "5005")
                let saved = try String(contentsOfFile: file, encoding: .utf8)
                #expect(saved.contains(try #require(HexDump.bytes(bytes).map { Data($0).base64EncodedString() })))
                try rig.write("moved.json", saved.replacing("\"5005\"", with: "\"1002\""))
                try await rig.expect(0, "device", "gate", "templates", "restore", rig.path("moved.json"), "--yes")
                let templates = try await Self.pyzk(port, "templates").objects()
                let moved = templates.first { $0["uid"] as? Int == 2 && $0["finger"] as? Int == 4 }
                #expect(moved?["bytes"] as? String == bytes && moved?["valid"] as? Int == 1)

                // A person whom pyzk writes, read and changed by us, read by pyzk.
                let put = """
                    {"uid": 900, "name": "Ann", "privilege": 0, "password": "99", "user_id": "6006", "card": 17}
                    """
                _ = try await Self.pyzk(port, "put-user", put)
                let ours = try await rig.muster("device", "gate", "people", "--format", "json").objects()
                let ann = try #require(ours.first { $0["code"] as? String == "6006" })
                #expect(ann["name"] as? String == "Ann" && ann["card"] as? String == "17")
                try await rig.expect(0, "device", "gate", "people", "put", "6006", "--name", "Anna", "--yes")
                let anna = try await Self.pyzk(port, "users").objects().first { $0["code"] as? String == "6006" }
                #expect(anna?["name"] as? String == "Anna" && anna?["password"] as? String == "99")
                #expect(anna?["uid"] as? Int == 900 && anna?["card"] as? Int == 17)
            }
        }
    }

    private static func pyzk(_ port: Int, _ action: String, _ argument: String = "") async throws -> ChildOutput {
        let output = try await ChildProcess.run(
            PythonEnvironment.pyzkInterpreter(),
            [PythonEnvironment.script("pyzk_session"), "127.0.0.1", String(port), "0", action, argument])
        guard output.status == 0 else { throw HarnessError("pyzk \(action): \(output.standardError)") }
        return output
    }
}
