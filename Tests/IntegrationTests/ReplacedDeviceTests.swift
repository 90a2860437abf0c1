import DeviceKit
import Foundation
import Testing
import ZKTecoEmulator

/// Another terminal answers at the address of a known one: nothing of the two may be mixed before somebody has decided.
@Suite("A terminal that was exchanged", .timeLimit(.minutes(3)))
struct ReplacedDeviceTests {
    private func configuration(_ port: Int) -> String {
        """
        data: DATA
        timezone: UTC
        devices:
          gate:
            driver: zkteco
            settings: {address: 127.0.0.1, port: \(port), clear_log: true}
            schedule: {window: all}
        """
    }

    private func terminal(_ serial: String, records: Int, seen: CommandsSeen? = nil) -> EmulatorOptions {
        var options = EmulatorOptions()
        options.serialNumber = serial
        options.records = records
        options.seed = UInt64(records)
        if let seen { options.observer = { seen.observe($0) } }
        return options
    }

    /// Every verb that works on the terminal itself.
    private static let verbs = [
        ["info"], ["clock"], ["people"], ["clock", "--set", "now", "--yes"], ["door", "unlock", "--yes"],
        ["people", "delete", "1001", "--yes"], ["restart", "--yes"], ["clear-log", "--yes"],
    ]

    private func expectRefused(_ rig: CommandLineRig) async throws {
        for words in Self.verbs {
            let output = try await ChildProcess.run(
                CommandLineRig.binary, ["device", "gate"] + words + ["--config", rig.path("muster.yaml")])
            #expect(output.status == 77, "\(words): \(output.text)\(output.standardError)")
            #expect(output.standardError.contains("muster device gate accept"), "\(words): \(output.standardError)")
        }
        let test = try await rig.muster("test", "gate", "--format", "json")
        #expect(test.status == 77, "\(test.text)")
        let failed = try test.objects().filter { $0["result"] as? String == "failed" }
        #expect(failed.first?["step"] as? String == "identity")
        #expect((failed.first?["remedy"] as? String)?.contains("accept it") == true)
    }

    private func status(_ rig: CommandLineRig) async throws -> (object: [String: Any], conditions: [String]) {
        let object = try #require(try await rig.muster("status", "--format", "json").objects().first)
        let conditions = object["conditions"] as? [[String: Any]] ?? []
        return (object, conditions.compactMap { $0["code"] as? String })
    }

    /// Records that were taken from whoever stood there. Two terminals may have a punch of one code and second.
    private func received(_ rig: CommandLineRig) async throws -> Int? {
        try await status(rig).object["received"] as? Int
    }

    private func decision(_ rig: CommandLineRig) async throws -> Bool? {
        let output = try await rig.muster("device", "gate", "accept", "--format", "json")
        #expect(output.status == 0, "\(output.standardError)")
        return try output.object()["changed"] as? Bool
    }

    /// Asks until the running host has met whoever is at the address now: its old link has to break first.
    private func sync(_ rig: CommandLineRig, until isMet: ([String: Any]) -> Bool) async throws {
        var last: [String: Any] = [:]
        for _ in 0..<100 {
            last = try await rig.muster("sync", "gate", "--format", "json").object()
            if isMet(last) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("the host does not get there: \(last)")
    }

    @Test("a running host holds it, says so, and takes it once it is accepted")
    func hosted() async throws {
        let port = try FreePort.next()
        let seen = CommandsSeen()
        try await CommandLineRig.with(configuration(port)) { rig in
            try await rig.withHost {
                try await CommandLineRig.withTerminal(terminal("FIRST", records: 200), port: port) { _ in
                    try await sync(rig) { $0["success"] as? Bool == true }
                    #expect(try await received(rig) == 200)
                    #expect(try await decision(rig) == false)
                }
                try await CommandLineRig.withTerminal(terminal("SECOND", records: 300, seen: seen), port: port) { _ in
                    try await sync(rig) { $0["error_code"] as? String == "device-replaced" }
                    let held = try await status(rig)
                    #expect(held.object["state"] as? String == "held")
                    #expect(held.object["connected"] as? Bool == false)
                    #expect(held.object["serial_number"] as? String == "FIRST")
                    #expect(held.conditions == ["device-replaced"])
                    let sentence = try #require(held.object["condition"] as? String)
                    #expect(sentence.contains("SECOND") && sentence.contains("FIRST"), "\(sentence)")
                    try await expectRefused(rig)
                    #expect(try await received(rig) == 200)

                    #expect(try await decision(rig) == true)
                    try await sync(rig) { $0["success"] as? Bool == true }
                    let taken = try await status(rig)
                    #expect(taken.object["state"] as? String == "online")
                    #expect(taken.object["serial_number"] as? String == "SECOND")
                    // What the first one recorded after it was last read nobody knows.
                    #expect(taken.conditions == ["gap"])
                    #expect(try await received(rig) == 500)
                    try await rig.expect(0, "device", "gate", "info")
                    #expect(try await decision(rig) == true)
                    #expect(try await decision(rig) == false)
                    #expect(try await status(rig).conditions == [])
                }
            }
        }
        #expect(seen.all.isEmpty)
    }

    @Test("sync and every verb hold it without a host, too")
    func withoutHost() async throws {
        let port = try FreePort.next()
        let seen = CommandsSeen()
        try await CommandLineRig.with(configuration(port)) { rig in
            try await CommandLineRig.withTerminal(terminal("FIRST", records: 200), port: port) { _ in
                try await rig.expect(0, "device", "gate", "info")
                try await rig.expect(0, "sync", "gate")
            }
            try await CommandLineRig.withTerminal(terminal("SECOND", records: 300, seen: seen), port: port) { _ in
                // The verbs come first: nobody but them has told the journal of the second one.
                try await expectRefused(rig)
                #expect(try await status(rig).conditions == ["device-replaced"])
                let held = try await rig.muster("sync", "gate", "--format", "json")
                #expect(held.status == 77)
                #expect(try held.object()["error_code"] as? String == "device-replaced")
                let once = try await rig.muster("run", "--once")
                #expect(once.status == 77, "\(once.text)\(once.standardError)")
                #expect(try await received(rig) == 200)
                #expect(seen.all.isEmpty)

                #expect(try await decision(rig) == true)
                try await rig.expect(0, "device", "gate", "info")
                let taken = try await rig.muster("sync", "gate", "--format", "json").object()
                #expect(taken["success"] as? Bool == true)
                #expect(try await received(rig) == 500)
                let now = try await status(rig)
                #expect(now.object["serial_number"] as? String == "SECOND")
                #expect(now.conditions == ["gap"])
            }
            // The first one comes back without a word: it is the stranger now.
            try await CommandLineRig.withTerminal(terminal("FIRST", records: 200), port: port) { _ in
                try await rig.expect(77, "sync", "gate")
                #expect(try await received(rig) == 500)
            }
        }
    }

    @Test("a clearing of the log trusts the first terminal that it reads")
    func firstContact() async throws {
        let port = try FreePort.next()
        try await CommandLineRig.with(configuration(port)) { rig in
            try await CommandLineRig.withTerminal(terminal("FIRST", records: 200), port: port) { _ in
                try await rig.expect(0, "device", "gate", "clear-log", "--yes")
            }
            try await CommandLineRig.withTerminal(terminal("SECOND", records: 300), port: port) { _ in
                try await rig.expect(77, "sync", "gate")
                #expect(try await received(rig) == 200)
            }
        }
    }
}
