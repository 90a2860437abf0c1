import DeviceKit
import MusterHost
import Testing

@Suite("Substitution")
struct ConfigurationSubstitutionTests {
    private let environment = ["NAME": "Anna", "EMPTY": "", "PORT": "4371", "TRICK": "x}, port: 1 # [", "NULL": "null"]

    /// The name of the only device, whose text in the file is `text`.
    private func name(_ text: String, files: [String: String] = [:]) -> String? {
        load(
            "timezone: UTC\ndevices: {a: {driver: simulator, name: '\(text)'}}", environment: environment, files: files
        ).configuration?.devices.first?.name
    }

    private func problems(_ text: String, files: [String: String] = [:]) -> [String] {
        load(
            "timezone: UTC\ndevices: {a: {driver: simulator, name: '\(text)'}}", environment: environment, files: files
        ).report.diagnostics.map { "\($0.mark.line):\($0.mark.column) \($0.code) \($0.hint ?? "")" }
    }

    @Test(
        "puts values in the place of names",
        arguments: [
            ("${NAME}", "Anna"), ("<${NAME}${NAME}>", "<AnnaAnna>"), ("${NONE:-Bert}", "Bert"),
            ("${EMPTY:-Bert}", "Bert"), ("${NAME:-Bert}", "Anna"), ("${NONE:-}x", "x"), ("$NAME", "$NAME"),
            ("a$", "a$"), ("$${NAME}", "${NAME}"), ("$$${NAME}", "$${NAME}"), ("}{", "}{"),
            ("${TRICK}", "x}, port: 1 # ["),
            ("${NULL}", "null"), ("${file:key}", "two words"), ("${NONE:-a:-b}", "a:-b"),
        ])
    func values(text: String, expected: String) {
        #expect(name(text, files: ["key": "two words\r\n\n"]) == expected)
    }

    @Test(
        "says what is wrong, once",
        arguments: [
            ("${NAM}", "2:40 missing-variable did you mean 'NAME'?"),
            ("${NOWHERE}", "2:40 missing-variable set it, or give a default: ${NOWHERE:-value}"),
            ("${NAME", "2:40 substitution write $${ for the characters themselves"),
            ("${secret:door}", "2:40 no-secrets secrets are kept in the data directory: data: itself must do without"),
            ("${file:none}", "2:40 unreadable-file "),
            ("${file:large}", "2:40 too-large "),
        ])
    func mistakes(text: String, expected: String) {
        #expect(problems(text, files: ["large": String(repeating: "x", count: 65_537)]) == [expected])
    }

    @Test(
        "refuses what it does not understand",
        arguments: ["${}", "${1A}", "${a-b}", "${A:+x}", "${A:-${B}}", "${file:}"])
    func malformed(text: String) {
        #expect(problems(text).map { $0.split(separator: " ")[1] } == ["substitution"])
    }

    @Test("reports every missing variable of a text")
    func several() { #expect(problems("${NO1}${NO2}").count == 2) }

    @Test("substituted digits are a number, in quotes or not; quoted digits are a text")
    func numbers() throws {
        func port(_ text: String) throws -> UInt16? {
            try load(
                "timezone: UTC\ndevices: {a: {driver: zkteco, settings: {address: x, port: \(text)}}}",
                environment: environment
            ).configuration?.devices.first?.settings.value(TerminalDriver.Settings.port)
        }
        #expect(try port("\"${PORT}\"") == 4371)
        #expect(try port("\"43${NONE:-71}\"") == 4371)
        #expect(try port("4371") == 4371)
        #expect(try port("\"4371\"") == nil)
    }

    @Test("never changes structure: keys stay, and lists and mappings come only from the file")
    func structure() {
        let environment = ["LIST": "[audit]", "KEY": "name", "MAP": "{people: 5}", "DEVICE": "a"]
        let text = """
            timezone: UTC
            devices:
              a: {driver: simulator, sinks: "${LIST}"}
              b: {driver: simulator, "${KEY}": x}
              c: {driver: simulator, settings: "${MAP}"}
              "${DEVICE}": {driver: simulator}
            """
        #expect(
            summaries(text, environment: environment) == [
                "office.yaml:3:33: error: devices.a.sinks: expected a list, found '[audit]'",
                "office.yaml:4:26: error: devices.b.${KEY}: is not a known key",
                "office.yaml:5:36: error: devices.c.settings: expected keys and values, found '{people: 5}'",
                "office.yaml:6:3: error: devices.${DEVICE}: '${DEVICE}' cannot name a device",
            ])
    }

    @Test("a substituted value that does not fit says where it comes from")
    func origin() {
        let loading = load(
            "timezone: UTC\ndevices: {a: {driver: zkteco, settings: {address: x, port: \"${PORT}\"}}}",
            environment: ["PORT": "0"])
        #expect(loading.report.diagnostics.map(\.message) == ["0 is outside 1…65535"])
        #expect(loading.report.diagnostics.map(\.hint) == ["the value comes from ${PORT}"])
    }

    @Test("a substituted secret is no warning and never shown")
    func secrets() throws {
        let loading = load(
            "timezone: UTC\ndevices: {a: {driver: zkteco, settings: {address: x, password: \"${PW}\"}}}",
            environment: ["PW": "hunter2"])
        #expect(loading.report.text == "")
        #expect(!"\(try #require(loading.configuration?.devices.first))".contains("hunter2"))
    }
}
