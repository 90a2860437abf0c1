import DeviceKit
import Testing

@testable import MusterHost

/// A few secrets instead of a vault.
private struct KnownSecrets: SecretSource {
    let directory: String
    var files: [String] { [directory + "/secrets"] }
    var values = ["door": "hunter2", "digits": "99999", "url": "postgresql://muster:hunter2@db/hr"]

    func value(of name: String) throws(SecretProblem) -> Secret {
        guard let value = values[name] else {
            throw SecretProblem(code: "missing-secret", message: "no '\(name)' in \(directory)", hint: "set it")
        }
        return Secret(value)
    }
}

@Suite("Secrets in a configuration")
struct ConfigurationSecretTests {
    private func load(_ text: String, environment: [String: String] = [:]) -> ConfigurationLoader.Loading {
        ConfigurationLoader(
            drivers: testDrivers, sinks: testSinks, environment: environment,
            files: MemoryFiles(["conf/office.yaml": text]), secrets: { KnownSecrets(directory: $0) }
        ).load("conf/office.yaml")
    }

    private func device(_ settings: String, head: String = "timezone: UTC") -> String {
        "\(head)\ndevices: {a: {driver: zkteco, settings: {address: x, \(settings)}}}"
    }

    @Test("stand where a text stands, alone or within one")
    func values() throws {
        let loading = load(device(#"password: "<${secret:door}>""#))
        #expect(loading.report.text == "")
        let device = try #require(loading.configuration?.devices.first)
        #expect(try device.settings.value(TerminalDriver.Settings.password).reveal() == "<hunter2>")
        #expect(!"\(device)".contains("hunter2"))
    }

    @Test(
        "come from the data directory that the file names",
        arguments: [
            ("timezone: UTC", "conf/muster-data"), ("data: /var/lib/muster\ntimezone: UTC", "/var/lib/muster"),
            (#"{data: "${DATA:-./here}", timezone: UTC}"#, "conf/here"),
        ])
    func directory(head: String, directory: String) {
        let text =
            head.hasPrefix("{")
            ? #"{data: "${DATA:-./here}", timezone: UTC, devices: {a: {driver: zkteco, settings: {address: x, password: "${secret:none}"}}}}"#
            : device(#"password: "${secret:none}""#, head: head)
        #expect(load(text).report.diagnostics.map(\.message) == ["no 'none' in \(directory)"])
    }

    @Test("cannot tell where they are themselves")
    func circle() {
        let report = load("data: \"${secret:door}\"\ntimezone: UTC\ndevices: {}").report
        #expect(report.diagnostics.filter { $0.severity == .error }.map(\.code) == ["no-secrets"])
    }

    @Test("a missing one is told with its place and the remedy")
    func missing() {
        let report = load(device(#"password: "${secret:none}""#)).report
        #expect(report.text.contains("conf/office.yaml:2:64: error: devices.a.settings.password: no 'none'"))
        #expect(report.text.contains("hint: set it"))
    }

    @Test(
        "never show in what is wrong with them",
        arguments: [
            #"port: "${secret:digits}""#, #"port: "${secret:door}""#, #"timeout: "1${secret:door}""#,
            #"address2: "${secret:door}""#,
        ])
    func mistakes(settings: String) {
        let report = load(device(settings)).report
        #expect(report.hasErrors)
        for text in [report.text, report.json] {
            #expect(!text.contains("hunter2"))
            #expect(!text.contains("99999"))
        }
    }

    @Test("are hidden in listings, whatever setting they are for")
    func listings() throws {
        let loading = load(
            "timezone: UTC\nsinks: {f: {type: file, path: \"a-${secret:door}\"}}\n"
                + "devices: {a: {driver: zkteco, sinks: [f], settings: {address: x}}}")
        let sink = try #require(loading.configuration?.sinks.first)
        #expect(sink.settings.text("path") == "<redacted>")
        #expect(!"\(sink.settings)".contains("hunter2"))
    }

    @Test("are read again when their file changes")
    func files() {
        let loading = load(device(#"password: "${secret:door}""#))
        #expect(loading.sources.files.contains("conf/muster-data/secrets"))
        #expect(!load(device("port: 1")).sources.files.contains("conf/muster-data/secrets"))
    }

    @Test("the redactor takes them out of any text, the longest first, and leaves short ones")
    func redactor() {
        let loading = load(device(#"password: "${secret:url}", timeout: "10s""#))
        let text = "connecting to postgresql://muster:hunter2@db/hr failed"
        #expect(loading.redactor(text) == "connecting to <redacted> failed")
        let redactor = Redactor(["abcdef", "abcdefgh", "0"].map { Secret($0) })
        #expect(redactor("abcdefgh 0 abcdefg") == "<redacted> 0 <redacted>g")
        let long = Redactor([Secret("abcdefghijklmnopqrstuvwxyz")])
        #expect(
            long("abcdefghijklmnopqrstuvwxyz, abcdefghijklmnop and abcdefgh") == "<redacted>, <redacted> and abcdefgh")
    }
}

@Suite("Access and log in a configuration")
struct ConfigurationAccessTests {
    private let digest = String(repeating: "0f", count: 32)

    private func http(_ text: String) -> HostConfiguration.HTTP? {
        load("http: \(text)\ndevices: {}").configuration?.http
    }

    private func problems(_ text: String) -> [String] {
        load("http: \(text)\ndevices: {}").report.diagnostics.filter { $0.severity == .error }.map(\.summary)
    }

    @Test("is on the loopback address by itself, without tokens")
    func defaults() {
        let configuration = load("devices: {}").configuration
        #expect(configuration?.http.listen.description == "127.0.0.1:8080")
        #expect(configuration?.http.isEnabled == true)
        #expect(configuration?.http.tokens.isEmpty == true)
        #expect(configuration?.log.level == .info)
        #expect(configuration?.log.format == nil)
    }

    @Test("reads tokens")
    func tokens() {
        let token = "{name: prometheus, sha256: \(digest)}, {name: me, role: admin, sha256: \(digest)}"
        let http = http("{listen: \"0.0.0.0:9\", tokens: [\(token)]}")
        #expect(http?.tokens.map(\.name) == ["prometheus", "me"])
        #expect(http?.tokens.map(\.role) == [.viewer, .admin])
        #expect(http?.tokens.first?.digest == Array(repeating: 15, count: 32))
    }

    @Test(
        "refuses to be open to other machines without tokens, and says what to do",
        arguments: ["0.0.0.0", "[::]", "10.1.2.3"])
    func open(host: String) {
        let report = load("http: {listen: \"\(host):8080\"}\ndevices: {}").report
        #expect(report.text.contains("office.yaml:1:16: error: http.listen: other machines can reach \(host):8080"))
        #expect(report.text.contains("muster token new"))
        #expect(problems("{listen: \"\(host):8080\", enabled: false}").isEmpty)
    }

    @Test("says what is wrong with a token, with its place")
    func mistakes() {
        #expect(
            problems("{tokens: [{name: a, sha256: 00}]}") == [
                "office.yaml:1:35: error: http.tokens[0].sha256: is not the SHA-256 of a token: it has 64 hexadecimal digits"
            ])
        #expect(
            problems("{tokens: [{sha256: \(digest), role: king}]}").map { $0.split(separator: " ").dropFirst(2).first }
                == [
                    "http.tokens[0]:", "http.tokens[0].role:",
                ])
        let twice = "{name: a, sha256: \(digest)}"
        #expect(problems("{tokens: [\(twice), \(twice)]}").first?.contains("http.tokens[1]") == true)
    }

    @Test(
        "knows loopback addresses",
        arguments: [
            ("127.0.0.1:1", true), ("127.9.9.9:1", true), ("[::1]:1", true), ("localhost:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false), ("127.0.0.1.example.com:1", false), ("example.com:1", false),
        ])
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try #require(ListenAddress(text)).isLoopback == isLoopback)
    }

    @Test("reads the log's format and level")
    func log() {
        let configuration = load("log: {format: json, level: debug}\ndevices: {}").configuration
        #expect(configuration?.log == HostConfiguration.Log(format: .json, level: .debug))
        #expect(summaries("log: {level: loud}\ndevices: {}").first?.contains("log.level: 'loud' is not one of") == true)
    }
}
