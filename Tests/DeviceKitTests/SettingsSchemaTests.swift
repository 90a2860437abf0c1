import DeviceKit
import Testing

private enum Format: String, CaseIterable { case jsonl, csv }

private enum Sample {
    static let address = Setting.host("address", "Host of the terminal.")
    static let port = Setting.port("port", default: 4370, "TCP port.")
    static let name = Setting.optionalString("name", "What people call it.")
    static let people = Setting.integer("people", default: 50, in: 1...10_000, "How many people.", unit: "people")
    static let ratio = Setting.number("ratio", default: 0.5, in: 0...1, "A share.")
    static let isQuiet = Setting.bool("quiet", default: false, "Says less.")
    static let timeout = Setting.duration("timeout", default: .seconds(10), in: .seconds(1)...(.seconds(60)), "Limit.")
    static let format = Setting.choice("format", default: Format.jsonl, "Form of the lines.")
    static let password = Setting.secret("password", default: Secret(""), "Comm key.")
    static let rate = Setting.rate("rate", default: .perMinute(2), "Punches.")
    static let codes = Setting.list("codes", of: .text(), "People.", example: "[7, 8]")
    static let zone = Setting.timeZone("zone", default: .utc, "Zone.")
    static let schema = SettingsSchema(
        address, port, name, people, ratio, isQuiet, timeout, format, password, rate, codes, zone)
}

@Suite("SettingsSchema")
struct SettingsSchemaTests {
    @Test("gives the defaults of keys that are not given")
    func defaults() throws {
        let values = try Sample.schema.values(["address": "10.0.0.7"])
        #expect(try values.value(Sample.address) == "10.0.0.7")
        #expect(try values.value(Sample.port) == 4370)
        #expect(try values.value(Sample.name) == nil)
        #expect(try values.value(Sample.format) == .jsonl)
        #expect(try values.value(Sample.codes) == [])
        #expect(!values.isGiven("port"))
        #expect(values.isGiven("address"))
    }

    @Test("reads each key by its type")
    func reads() throws {
        let values = try Sample.schema.values([
            "address": "fd00::12", "port": "65535", "name": "Main", "people": "7", "ratio": "0.25", "quiet": "true",
            "timeout": "1m", "format": "csv", "password": "0077", "rate": "0.5/s", "zone": "Asia/Ho_Chi_Minh",
        ])
        #expect(try values.value(Sample.address) == "fd00::12")
        #expect(try values.value(Sample.port) == 65_535)
        #expect(try values.value(Sample.name) == "Main")
        #expect(try values.value(Sample.ratio) == 0.25)
        #expect(try values.value(Sample.isQuiet))
        #expect(try values.value(Sample.timeout) == .seconds(60))
        #expect(try values.value(Sample.format) == .csv)
        #expect(try values.value(Sample.password).reveal() == "0077")
        #expect(try values.value(Sample.rate).perSecond == 0.5)
        #expect(try values.value(Sample.zone).identifier == "Asia/Ho_Chi_Minh")
    }

    @Test("reports every problem at once")
    func problems() {
        let error = #expect(throws: ConfigurationError.self) {
            try Sample.schema.values(["prt": "1", "people": "0", "quiet": "yes", "format": "cvs", "timeout": "10"])
        }
        let found = error?.diagnostics.map { "\($0.path): \($0.code): \($0.hint ?? "")" }.sorted()
        #expect(
            found == [
                ": missing-key: Host of the terminal. For example address: 192.168.1.201",
                "format: unknown-value: did you mean 'csv'?",
                "people: out-of-range: the value comes from settings",
                "prt: unknown-key: did you mean 'port'?",
                "quiet: wrong-type: write true",
                "timeout: wrong-form: write 10s for seconds",
            ])
    }

    @Test("never shows a secret")
    func secrets() throws {
        let values = try Sample.schema.values(["address": "a", "password": "hunter2"])
        #expect(!values.description.contains("hunter2"))
        #expect(!"\(try values.value(Sample.password))".contains("hunter2"))
        var dumped = ""
        dump(try values.value(Sample.password), to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }

    @Test("values are equal when their keys are, wherever they stand")
    func equality() throws {
        let left = try Sample.schema.values(["address": "a"])
        #expect(try left == Sample.schema.values(["address": "a", "port": "4370"]))
        #expect(try left != Sample.schema.values(["address": "a", "password": "x"]))
    }

    @Test("a setting of another schema is a driver's mistake, not a crash")
    func foreignSetting() throws {
        let values = try Sample.schema.values(["address": "a"])
        #expect(throws: ConfigurationError.self) { try values.value(Setting.bool("other", "No.")) }
    }
}
