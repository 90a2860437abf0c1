import DeviceKit
import Foundation
import MusterHost
import Testing

@Suite("JSON Schema, starter and documentation")
struct ConfigurationSchemaTests {
    private func schema() throws -> [String: Any] {
        let text = ConfigurationSchema.jsonSchema(drivers: testDrivers, sinks: testSinks)
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func properties(_ node: Any?) -> Set<String>? {
        ((node as? [String: Any])?["properties"] as? [String: Any]).map { Set($0.keys) }
    }

    private func child(_ node: Any?, _ keys: String...) -> Any? {
        keys.reduce(node) { node, key in (node as? [String: Any])?[key] }
    }

    @Test("lists the keys that the loader reads")
    func keys() throws {
        let schema = try schema()
        #expect(schema["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
        #expect(
            properties(schema) == [
                "data", "timezone", "include", "http", "log", "journal", "alerts", "defaults", "sites", "sinks",
                "devices",
            ])
        let root = schema["properties"]
        #expect(properties(child(root, "http")) == ["enabled", "listen", "tokens"])
        #expect(properties(child(root, "log")) == ["format", "level"])
        #expect(properties(child(root, "defaults")) == ["schedule", "clock", "lifecycle", "sinks"])
        #expect(
            properties(child(root, "devices", "additionalProperties")) == [
                "name", "location", "site", "driver", "timezone", "enabled", "sinks", "direction", "day_begins",
                "settings", "schedule", "clock", "lifecycle",
            ])
        #expect(properties(child(root, "journal")) == ["keep", "quota", "when_full"])
        #expect(
            properties(child(schema, "$defs", "schedule")) == [
                "poll", "every", "between", "timezone", "jitter", "offset", "window", "capture",
            ])
        #expect(properties(child(schema, "$defs", "clock")) == ["sync", "max_drift"])
    }

    @Test("lists each driver's and each sink's keys under its name")
    func conditions() throws {
        func thens(_ section: String) throws -> [String: Set<String>] {
            let shape = child(try schema(), "properties", section, "additionalProperties")
            let conditions = try #require(child(shape, "allOf") as? [[String: Any]])
            let selector = section == "sinks" ? "type" : "driver"
            return Dictionary(
                uniqueKeysWithValues: conditions.map { condition in
                    let then = condition["then"]
                    let keys = section == "sinks" ? properties(then) : properties(child(then, "properties", "settings"))
                    return (child(condition, "if", "properties", selector, "const") as? String ?? "?", keys ?? [])
                })
        }
        #expect(
            try thens("devices") == [
                "zkteco": ["address", "port", "password", "timeout"], "simulator": ["people", "rate", "seed"],
            ])
        #expect(try thens("sinks") == ["file": ["path"], "postgres": ["url"]])
    }

    @Test("every key of the schema is known to the loader")
    func agreement() throws {
        func problems(_ text: String) -> [String] {
            load(text).report.diagnostics.filter { $0.code == "unknown-key" }.map(\.summary)
        }
        let schema = try schema()
        let device = child(schema, "properties", "devices", "additionalProperties")
        func lines(_ keys: Set<String>?, indent: Int) -> String {
            (keys ?? []).sorted().map { String(repeating: " ", count: indent) + "\($0): {}\n" }.joined()
        }
        #expect(problems(lines(properties(schema), indent: 0)) == [])
        #expect(problems("devices:\n  a:\n" + lines(properties(device), indent: 4)) == [])
        for section in ["schedule", "clock", "lifecycle"] {
            let keys = properties(child(schema, "$defs", section))
            #expect(problems("defaults:\n  \(section):\n" + lines(keys, indent: 4)) == [])
        }
        #expect(problems("devices:\n  a: {nonsense: 1}").count == 1)
    }

    @Test("the starter configuration loads without a diagnostic")
    func starter() throws {
        let zone = try #require(DeviceTimeZone(identifier: "Europe/Berlin"))
        let start = try #require(LocalDateTime("2026-11-24 08:00:00"))
        let text = StarterConfiguration.text(drivers: testDrivers, sinks: testSinks, timeZone: zone, start: start)
        let loading = load(text)
        #expect(loading.report.text == "")
        #expect(loading.configuration?.devices.map(\.id.name) == ["lobby"])
        #expect(loading.configuration?.devices.first?.sinks == ["audit"])
    }

    @Test("every commented line of the starter is right as well")
    func starterUncommented() throws {
        let zone = try #require(DeviceTimeZone(identifier: "Europe/Berlin"))
        let start = try #require(LocalDateTime("2026-11-24 08:00:00"))
        let text = StarterConfiguration.text(drivers: testDrivers, sinks: testSinks, timeZone: zone, start: start)
        // `# key: value` becomes `key: value`; sentences have a space before any colon.
        func uncommented(_ text: String) -> String {
            text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                line.replacing(/^( *)# ( *[a-z_-]+:( .*)?)$/) { "\($0.1)\($0.2)" }
            }.joined(separator: "\n")
        }
        let loading = load(uncommented(text))
        #expect(loading.report.text == "")
        #expect(loading.configuration?.devices.map(\.id.name) == ["lobby", "front-door"])
        #expect(loading.configuration?.devices.last?.lifecycle == LifecycleTimers())
    }

    @Test("the documentation of a driver names each of its settings")
    func documentation() throws {
        let driver = try #require(testDrivers["zkteco"])
        let text = DriverDocumentation.text(driver)
        for key in driver.schema.keys { #expect(text.contains("\n  \(key)  (")) }
        #expect(text.contains("Intake:        capturing, polling"))
        #expect(DriverDocumentation.rows(testDrivers).map(\.first) == ["simulator", "zkteco"])
    }
}
