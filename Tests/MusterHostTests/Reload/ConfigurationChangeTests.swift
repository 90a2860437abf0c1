import DeviceKit
import Testing

@testable import MusterHost

@Suite("What a new configuration changes")
struct ConfigurationChangeTests {
    private static let office = """
        data: data
        timezone: UTC
        sinks:
          audit: {type: file, path: a.jsonl}
          log: {type: file, path: b.jsonl}
        devices:
          lobby:
            driver: zkteco
            settings: {address: 10.0.0.1}
            sinks: [audit]
          gate:
            driver: zkteco
            settings: {address: 10.0.0.2}
            sinks: [audit, log]
        """

    private func change(_ replacements: (String, String)...) throws -> ConfigurationChange {
        let old = try #require(load(Self.office).configuration)
        let text = replacements.reduce(Self.office) { $0.replacing($1.0, with: $1.1) }
        let loading = load(text)
        let new = try #require(loading.configuration, "\(loading.report.text)")
        return ConfigurationChange(from: old, to: new)
    }

    @Test("a file that only looks different changes nothing")
    func places() throws {
        let change = try change(
            ("timezone: UTC", "# the office\n\ntimezone: UTC"),
            ("{address: 10.0.0.1}", "{address: \"10.0.0.1\", port: 4370}"))
        #expect(change.isEmpty)
    }

    @Test("what a session depends on restarts the device")
    func session() throws {
        let address = try change(("10.0.0.1", "10.0.0.9"))
        #expect(address.devices == [.init(name: "lobby", effect: .restarted(["settings"]))])
        #expect(address.sinks.isEmpty)
        let zone = try change(("timezone: UTC", "timezone: Asia/Ho_Chi_Minh"))
        #expect(zone.devices.map(\.name) == ["lobby", "gate"])
        #expect(zone.devices.allSatisfy { $0.effect == .restarted(["timezone"]) })
    }

    @Test("what people call it, and where its punches go, does not")
    func description() throws {
        let change = try change(
            ("  gate:\n", "  gate:\n    name: Main gate\n    location: North\n"), ("[audit]", "[log]"))
        #expect(
            change.devices == [
                .init(name: "lobby", effect: .adjusted(["sinks"])),
                .init(name: "gate", effect: .adjusted(["name", "location"])),
            ])
        #expect(
            change.sinks == [
                .init(name: "audit", effect: .adjusted(["devices"])),
                .init(name: "log", effect: .adjusted(["devices"])),
            ])
    }

    @Test("devices and sinks come and go")
    func coming() throws {
        let change = try change(
            ("lobby", "foyer"), ("  log: {type: file, path: b.jsonl}\n", ""), ("[audit, log]", "[audit]"))
        #expect(
            change.devices == [
                .init(name: "foyer", effect: .added), .init(name: "gate", effect: .adjusted(["sinks"])),
                .init(name: "lobby", effect: .removed),
            ])
        #expect(
            change.sinks == [
                .init(name: "audit", effect: .adjusted(["devices"])), .init(name: "log", effect: .removed),
            ])
    }

    @Test("the sink's own settings restart it, the pump's do not")
    func sinks() throws {
        #expect(try change(("b.jsonl", "c.jsonl")).sinks == [.init(name: "log", effect: .restarted(["settings"]))])
        #expect(
            try change(("path: b.jsonl", "path: b.jsonl, valid_only: false, directions: [in]")).sinks
                == [.init(name: "log", effect: .adjusted(["directions", "valid_only"]))])
        let policy = try change(("  lobby:\n", "  lobby:\n    direction: fixed-in\n"))
        #expect(policy.sinks == [.init(name: "audit", effect: .adjusted(["direction"]))])
        #expect(policy.devices == [.init(name: "lobby", effect: .adjusted(["direction"]))])
    }

    @Test("some keys need a restart, and say so")
    func restart() throws {
        let change = try change(("data: data", "data: elsewhere\njournal: {keep: 90d}\nhttp: {listen: 127.0.0.1:9000}"))
        #expect(change.needsRestart == ["data", "http"])
        #expect(change.adjusted == ["journal"])
        #expect(change.devices.isEmpty && change.sinks.isEmpty)
    }

    @Test("no field is forgotten: a new one has to be compared, and then named here")
    func fields() throws {
        let configuration = try #require(load(Self.office).configuration)
        let device = try #require(configuration.devices.first)
        #expect(
            Mirror(reflecting: device).children.compactMap(\.label) == [
                "id", "name", "location", "zone", "driver", "settings", "schedule", "lifecycle", "sinks", "isEnabled",
                "directionPolicy", "dayBegins", "site", "clock",
            ])
        #expect(
            Mirror(reflecting: try #require(configuration.sinks.first)).children.compactMap(\.label) == [
                "name", "registration", "settings", "devices", "directions", "includesInvalid", "directionPolicy",
                "retryBase", "retryCeiling",
            ])
        #expect(
            Mirror(reflecting: configuration).children.compactMap(\.label) == [
                "dataDirectory", "baseDirectory", "http", "log", "journal", "sites", "alerts", "sinks", "devices",
                "files",
            ])
    }
}
