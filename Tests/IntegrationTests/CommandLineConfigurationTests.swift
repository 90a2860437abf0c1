import Foundation
import Testing

/// The verbs that need no device.
@Suite("The command line and its configuration")
struct CommandLineConfigurationTests {
    @Test("check names every mistake with its place and exits with 78")
    func check() async throws {
        let configuration = """
            data: DATA
            timezone: Asia/Ho_Chi_Min
            devices:
              lobby:
                driver: zkteco
                settings: {address: 192.0.2.1, port: 99999}
                schedule: {pol: "* * * * *"}
            """
        try await CommandLineRig.with(configuration) { rig in
            let output = try await rig.muster("check")
            #expect(output.status == 78)
            #expect(output.standardError.contains("muster.yaml:2:11: error: timezone: "))
            #expect(output.standardError.contains("muster.yaml:6:42: error: devices.lobby.settings.port: "))
            #expect(output.standardError.contains("muster.yaml:7:16: error: devices.lobby.schedule.pol: "))
            #expect(output.standardError.contains("3 errors"))
            let problems = try await rig.muster("check", "--format", "json").objects()
            #expect(problems.count == 3)
            #expect(problems.compactMap { $0["line"] as? Int } == [2, 6, 7])
            #expect(problems.allSatisfy { $0["severity"] as? String == "error" && $0["message"] is String })
        }
    }

    @Test("no verb starts with a configuration that has mistakes", arguments: ["devices", "status", "run", "punches"])
    func refusal(verb: String) async throws {
        try await CommandLineRig.with("data: DATA\nthis-is-not-a-key: 1\n") { rig in
            let output = try await rig.muster(verb)
            #expect(output.status == 78)
            #expect(output.standardError.contains("muster.yaml:2:1: error: this-is-not-a-key: "))
            #expect(output.text.isEmpty)
        }
    }

    @Test("a missing configuration is said, with the remedy")
    func missingConfiguration() async throws {
        try await CommandLineRig.with(nil) { rig in
            let output = try await rig.muster("devices")
            #expect(output.status == 78)
            #expect(output.standardError.contains("muster init"))
        }
    }

    @Test("what init writes passes check, lists its device, and is not overwritten")
    func initialise() async throws {
        try await CommandLineRig.with(nil) { rig in
            try await rig.expect(0, "init")
            let check = try await rig.muster("check")
            #expect(check.status == 0)
            #expect(check.text.contains("is valid: 1 device, 1 sink"))
            let devices = try await rig.muster("devices", "--format", "json").objects()
            #expect(devices.compactMap { $0["device"] as? String } == ["lobby"])
            #expect(devices.first?["driver"] as? String == "simulator")
            let again = try await rig.muster("init")
            #expect(again.status == 64)
            #expect(again.standardError.contains("exists already"))
            try await rig.expect(0, "init", "--force")
        }
    }

    @Test("schema is a JSON Schema of draft 2020-12")
    func schema() async throws {
        let schema = try await CommandLineRig.muster("schema").object()
        #expect(schema["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
        #expect((schema["properties"] as? [String: Any])?["devices"] != nil)
    }

    @Test("drivers lists what is built in and shows the settings of one")
    func drivers() async throws {
        let drivers = try await CommandLineRig.muster("drivers", "--format", "json").objects()
        #expect(drivers.compactMap { $0["name"] as? String }.sorted() == ["simulator", "zkteco"])
        let zkteco = try await CommandLineRig.muster("drivers", "zkteco")
        #expect(zkteco.status == 0)
        for key in ["address", "port", "password"] { #expect(zkteco.text.contains(key)) }
        let unknown = try await CommandLineRig.muster("drivers", "nonesuch")
        #expect(unknown.status == 64)
        for name in ["simulator", "zkteco", "postgres", "email"] { #expect(unknown.standardError.contains(name)) }
    }

    @Test("a word that is no verb, and an option that does not exist, are usage errors")
    func usage() async throws {
        try await CommandLineRig.expect(64, "frobnicate")
        try await CommandLineRig.expect(64, "devices", "--frobnicate")
        try await CommandLineRig.expect(64, "sync")
        let help = try await CommandLineRig.muster("--help")
        #expect(help.status == 0)
        #expect(help.text.contains("emulate"))
    }

    @Test("before the first run there is no journal, and punches says so with 69")
    func noJournal() async throws {
        try await CommandLineRig.with("data: DATA\ndevices: {}\n") { rig in
            let output = try await rig.muster("punches")
            #expect(output.status == 69)
            #expect(output.standardError.contains("muster run"))
        }
    }
}
