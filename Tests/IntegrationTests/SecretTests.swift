import Foundation
import Testing
import ZKTecoEmulator

@Suite("Secrets", .timeLimit(.minutes(3)))
struct SecretTests {
    @Test("are set from standard input, listed by name, and removed; no verb shows one")
    func verbs() async throws {
        let configuration = """
            data: DATA
            timezone: UTC
            devices:
              gate: {driver: zkteco, settings: {address: 192.0.2.1, password: "${secret:gate}"}}
            """
        try await CommandLineRig.with(configuration) { rig in
            let before = try await rig.muster("check")
            #expect(before.status == 78)
            #expect(
                before.standardError.contains("muster.yaml:4:67: error: devices.gate.settings.password: there is no"))
            #expect(before.standardError.contains("hint: muster secret set gate"))

            let set = try await rig.muster("secret", "set", "gate", input: "48151623\n")
            #expect(set.status == 0, "\(set.standardError)")
            #expect(set.text.isEmpty)
            try await rig.expect(0, "check")
            let again = try await rig.muster("secret", "set", "gate", input: "4815162342\n")
            #expect(again.standardError.contains("replaced gate"))
            let listed = try await rig.muster("secret", "list", "--format", "json").objects()
            #expect(listed.compactMap { $0["name"] as? String } == ["gate"])
            #expect(listed.first?.keys.sorted() == ["changed", "name"])

            for verb in ["check", "devices", "status", "schema", "punches"] {
                let output = try await (verb == "schema" ? CommandLineRig.muster(verb) : rig.muster(verb))
                #expect(!(output.text + output.standardError).contains("48151623"))
            }
            try await rig.expect(64, "secret", "set", "a/b")
            try await rig.expect(64, "secret", "get", "gate")
            try await rig.expect(64, "secret", "set", "gate", "on-the-command-line")
            try await rig.expect(64, "secret", "set", "empty")
            try await rig.expect(0, "secret", "remove", "gate")
            try await rig.expect(64, "secret", "remove", "gate")
            try await rig.expect(78, "check")
        }
    }

    @Test("a key that others can read stops the host, with the remedy")
    func openKey() async throws {
        let configuration = """
            data: DATA
            timezone: UTC
            devices:
              gate: {driver: zkteco, settings: {address: 192.0.2.1, password: "${secret:gate}"}}
            """
        try await CommandLineRig.with(configuration) { rig in
            _ = try await rig.muster("secret", "set", "gate", input: "1")
            let key = rig.path("data/secrets.key")
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
            let output = try await rig.muster("run", "--for", "1s")
            #expect(output.status == 78)
            #expect(output.standardError.contains("(mode 644)"))
            #expect(output.standardError.contains("chmod 600 \(key)"))
        }
    }

    /// Every secret that the configuration below holds; each is random, so that nothing else contains it.
    private struct Canaries {
        let byName: [String: String] = Dictionary(
            uniqueKeysWithValues: [
                "database", "signature", "authorization", "frappe", "odoo", "mqtt", "path", "smtp", "chat",
            ].map {
                name in
                (name, "canary-\(name)-\(UUID().uuidString)")
            } + [("gate", String(UInt32.random(in: 100_000_000...999_999_999)))])

        /// The names of those that a text holds, also as base64 or with percent signs.
        func found(in data: Data) -> [String] {
            byName.compactMap { name, value in
                let forms = [
                    // A message may be cut within a secret; nine of its random letters tell enough.
                    String(value.prefix(30)), Data(value.utf8).base64EncodedString(),
                    value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? value,
                ]
                return forms.contains { data.range(of: Data($0.utf8)) != nil } ? name : nil
            }
        }

        func found(in text: String) -> [String] { found(in: Data(text.utf8)) }
    }

    @Test("never appear in logs, metrics, listings, the journal or the control socket, whatever fails")
    func canaries() async throws {
        let canaries = Canaries()
        var options = EmulatorOptions()
        options.records = 50
        // The comm key of the terminal is another one: it refuses ours.
        options.commKey = 4_711
        options.transports = .tcp
        try await PythonServer.with("echo_server") { echo in
            try await CommandLineRig.withTerminal(options) { terminal in
                let (port, nobody) = (try FreePort.next(), try FreePort.next())
                let configuration = """
                    data: DATA
                    timezone: UTC
                    http: {listen: "127.0.0.1:\(port)"}
                    log: {level: trace}
                    alerts:
                      channels:
                        ops:
                          type: email
                          host: 127.0.0.1
                          port: \(nobody)
                          user: me
                          password: "${secret:smtp}"
                          from: muster@hr.example
                          to: [ops@hr.example]
                        chat: {type: webhook, body: slack, url: "http://127.0.0.1:\(echo.port)/${secret:chat}"}
                    sinks:
                      db: {type: postgres, url: "postgresql://muster:${secret:database}@127.0.0.1:\(nobody)/hr"}
                      hook:
                        type: webhook
                        url: "http://127.0.0.1:\(echo.port)/${secret:path}"
                        secrets: ["${secret:signature}"]
                        authorization: "Bearer ${secret:authorization}"
                      frappe: {type: frappe, url: "http://127.0.0.1:\(echo.port)", api_key: k, site_timezone: UTC, api_secret: "${secret:frappe}"}
                      odoo: {type: odoo, url: "http://127.0.0.1:\(echo.port)", database: hr, login: me, api_key: "${secret:odoo}"}
                      queue: {type: mqtt, host: 127.0.0.1, port: \(nobody), username: me, password: "${secret:mqtt}"}
                    defaults: {sinks: [db, hook, frappe, odoo, queue]}
                    devices:
                      gate: {driver: zkteco, settings: {address: 127.0.0.1, port: \(terminal), password: "${secret:gate}"}}
                      lobby: {driver: simulator, settings: {people: 10, history: 2d}}
                    """
                try await CommandLineRig.with(configuration) { rig in
                    for (name, value) in canaries.byName {
                        let set = try await rig.muster("secret", "set", name, input: value)
                        #expect(set.status == 0, "\(set.standardError)")
                        #expect(canaries.found(in: set.text + set.standardError).isEmpty)
                    }
                    try await rig.expect(0, "check")
                    async let host = rig.muster("run", "--for", "10s", "--show")
                    _ = try await Browser.untilServed("http://127.0.0.1:\(port)/health/ready")
                    try await Task.sleep(for: .seconds(2))
                    var pages = ["metrics", "health/live", "nothing"].map { "http://127.0.0.1:\(port)/\($0)" }
                    pages = try await pages.asyncMap { try await Browser.get($0).text }
                    for page in pages { #expect(canaries.found(in: page).isEmpty) }
                    for verb in [
                        ["status"], ["status", "--format", "json"], ["status", "--check"],
                        ["devices", "--format", "json"],
                        ["check"], ["check", "--format", "json"], ["deadletters", "--format", "json"],
                        ["sync", "--all"],
                        ["test", "gate"], ["alerts", "test", "ops"], ["alerts", "test", "chat"], ["alerts"],
                        ["secret", "list"], ["log-level"], ["punches", "--format", "json"],
                        ["drivers"], ["schema"],
                    ] {
                        let needsFile = !["drivers", "schema"].contains(verb[0])
                        let output = try await ChildProcess.run(
                            CommandLineRig.binary, verb + (needsFile ? ["--config", rig.path("muster.yaml")] : []))
                        #expect(canaries.found(in: output.text + output.standardError).isEmpty, "\(verb)")
                    }
                    let output = try await host
                    #expect(output.status == 0, "\(output.standardError)")
                    // The failures that could have told were there.
                    for sink in ["db", "frappe", "odoo", "queue"] {
                        #expect(output.standardError.contains("sink=\(sink)"), "\(sink) did not fail")
                    }
                    #expect(output.standardError.contains("gate: "))
                    let letters = try await rig.muster("deadletters", "--format", "json")
                    #expect(try !letters.objects().isEmpty)
                    #expect(canaries.found(in: letters.text).isEmpty)
                    #expect(canaries.found(in: output.text + output.standardError).isEmpty)
                    for file in try FileManager.default.subpathsOfDirectory(atPath: rig.path("data")) {
                        guard let data = FileManager.default.contents(atPath: rig.path("data/\(file)")) else {
                            continue
                        }
                        #expect(canaries.found(in: data).isEmpty, "\(file)")
                    }
                }
            }
        }
    }

    @Test("a password in an address is refused, and not shown")
    func passwordInAddress() async throws {
        let configuration = """
            data: DATA
            timezone: UTC
            sinks:
              hook: {type: webhook, url: "https://me:hunter2@hr.example.com/x", secrets: ["${KEY:-x}"]}
            devices: {}
            """
        try await CommandLineRig.with(configuration) { rig in
            let output = try await rig.muster("check")
            #expect(output.status == 78)
            #expect(output.standardError.contains("the address holds a user or a password"))
            #expect(!output.standardError.contains("hunter2"))
            let json = try await rig.muster("check", "--format", "json")
            #expect(!json.text.contains("hunter2"))
        }
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
