import AlertChannels
import Alerts
import DeviceKit
import Foundation
import Testing

/// `muster alerts` and `muster run` against receivers that exist.
@Suite("Alerts", .timeLimit(.minutes(5)))
struct AlertDeliveryTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    @Test("muster alerts test reaches every kind of channel, and tells why one does not take it")
    func testMessages() async throws {
        try await MailServer.with { mail in
            try await PythonServer.with("alert_receivers", Self.secret) { web in
                let text = """
                    data: DATA
                    alerts:
                      channels:
                        mail: {type: email, host: 127.0.0.1, port: \(mail.port), security: none, from: m@example.com, to: [a@example.com]}
                        lost: {type: email, host: 127.0.0.1, port: \(mail.port), security: none, from: m@example.com, to: [gone@example.com]}
                        hook: {type: webhook, url: "\(web.url)/hook", secrets: ["${HOOK:-\(Self.secret)}"]}
                        slack: {type: webhook, url: "\(web.url)/slack", body: slack}
                        teams: {type: webhook, url: "\(web.url)/teams", body: teams}
                        sms: {type: sms, account: AC1, token: "${T:-sms-token}", from: "+1555000", to: ["+84900000001", "+84900000000"], url: "\(web.url)"}
                        bot: {type: telegram, token: "${B:-12:tok}", chat: "-1001", url: "\(web.url)"}
                        page: {type: command, command: [/bin/sh, -c, "cat > DATA.page"]}
                        broken: {type: command, command: [/bin/sh, -c, "echo no paper >&2; exit 3"]}
                        log: {type: log}
                    """
                try await CommandLineRig.with(text) { rig in
                    for channel in ["mail", "hook", "slack", "teams", "sms", "bot", "page", "log"] {
                        let output = try await rig.muster("alerts", "test", channel)
                        #expect(output.status == 0, "\(channel): \(output.standardError)")
                        #expect(output.text.hasPrefix("\(channel) took the test message"), "\(output.text)")
                        if channel == "sms" {
                            #expect(output.standardError.contains("…0000: the SMS provider answers 400"))
                        }
                        if channel == "log" {
                            #expect(output.standardError.contains("ADMIN ALERT Test message of Muster"))
                        }
                    }
                    let broken = try await rig.muster("alerts", "test", "broken")
                    #expect(broken.status == 75)
                    #expect(broken.standardError.contains("/bin/sh ended with 3: no paper"))
                    let lost = try await rig.muster("alerts", "test", "lost")
                    #expect(lost.status == 69)
                    #expect(lost.standardError.contains("550"))
                    #expect(try await rig.muster("alerts", "test", "nobody").status == 64)
                    let page = try Data(contentsOf: URL(fileURLWithPath: rig.path("data.page")))
                    let event = try #require(JSONSerialization.jsonObject(with: page) as? [String: Any])
                    #expect(event["type"] as? String == "alert.test")
                }
                #expect(try mail.mails().map { $0.header("Subject") } == ["[Muster] Test message of Muster"])
                let state = try await web.model()
                #expect((state["hooks"] as? [[String: Any]])?.first?["type"] as? String == "alert.test")
                #expect((state["chats"] as? [[Any]])?.map { $0[0] as? String } == ["/slack", "/teams"])
                #expect((state["sms"] as? [[String: String]])?.map { $0["To"] } == ["+84900000001"])
                #expect((state["bot"] as? [[String: Any]])?.first?["chat_id"] as? Int == -1001)
            }
        }
    }

    /// Waits as long as it takes, up to a minute.
    private func until(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        for _ in 0..<600 {
            if try await isTrue() { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw HarnessError("waited in vain for: \(what)")
    }

    private func fleetConfiguration(_ count: Int, port: Int, mail: Int, web: String) -> String {
        let devices = (1...count).map { number in
            """
              gate-\(number):
                name: Gate \(number)
                location: Building A
                driver: zkteco
                settings: {address: 127.77.2.\(number), port: \(port), transport: tcp}
                schedule: {poll: "0 0 1 1 *"}
            """
        }
        return """
            data: DATA
            timezone: Asia/Ho_Chi_Minh
            defaults:
              lifecycle: {reconnect_base: 300ms, reconnect_ceiling: 1s}
            alerts:
              group_wait: 2s
              look_every: 1s
              rules:
                device.offline: {for: 3s}
                # What this machine's disk holds is another matter.
                host.disk: {enabled: false}
              channels:
                mail: {type: email, host: 127.0.0.1, port: \(mail), security: none, from: Muster <muster@example.com>, to: [ops@example.com]}
                hook: {type: webhook, url: "\(web)/hook", secrets: ["${HOOK:-\(Self.secret)}"]}
              deadman: {url: "${PING:-\(web)/ping}", every: 1s}
            devices:
            \(devices.joined(separator: "\n"))
            """
    }

    /// The messages stand in `MUSTER_ALERT_EVIDENCE` afterwards, where that is set.
    @Test("100 devices behind one dead link: one incident and one recovery, by e-mail and by webhook")
    func deadLink() async throws {
        let count = 100
        let port = try FreePort.next()
        try await MailServer.with { mail in
            try await PythonServer.with("alert_receivers", Self.secret) { web in
                let emulator = try BackgroundProcess(
                    CommandLineRig.binary,
                    [
                        "emulate", "zkteco", "--listen", "127.77.1.1:\(port)", "--addresses", "--count", "\(count)",
                        "--transports", "tcp", "--records", "30", "--people", "5", "--timezone", "Asia/Ho_Chi_Minh",
                    ])
                defer { emulator.stop() }
                for _ in 1...count { _ = try await emulator.line() }
                let relay = try BackgroundProcess(
                    "/usr/bin/env",
                    [
                        "python3", try PythonEnvironment.script("link_relay"), "\(count)", "127.77.2", "\(port)",
                        "127.77.1", "\(port)",
                    ])
                defer { relay.stop() }
                #expect(try await relay.line() == "mend")
                let text = fleetConfiguration(count, port: port, mail: mail.port, web: web.url)
                try await CommandLineRig.with(text) { rig in
                    let host = try BackgroundProcess(
                        CommandLineRig.binary, ["run", "--no-show", "--config", rig.path("muster.yaml")],
                        errors: rig.path("log"))
                    defer { host.stop() }
                    try await until("all devices are online") {
                        let status = try await rig.muster("status", "--format", "json")
                        guard status.status == 0 else { return false }
                        return try status.objects().filter { $0["state"] as? String == "online" }.count == count
                    }
                    try await endure(rig, relay, emulator, mail, web, count)
                    #expect(host.isRunning)
                }
            }
        }
    }

    private func endure(
        _ rig: CommandLineRig, _ relay: BackgroundProcess, _ emulator: BackgroundProcess, _ mail: MailServer,
        _ web: PythonServer, _ count: Int
    ) async throws {
        func hooks() async throws -> [[String: Any]] { try await web.model()["hooks"] as? [[String: Any]] ?? [] }
        try relay.write("cut")
        #expect(try await relay.line() == "cut")
        try emulator.write("burst 3")
        try await until("the first messages") {
            let posted = try await hooks().count
            return try !mail.mails().isEmpty && posted > 0
        }
        let open = try await rig.muster("alerts", "--format", "json").objects()
        #expect(open.count == 1)
        #expect(open.first?["state"] as? String == "firing")
        #expect((open.first?["alerts"] as? [Any])?.count == count + 1)
        // Time enough for a second message, if there were one.
        try await Task.sleep(for: .seconds(6))
        try relay.write("mend")
        #expect(try await relay.line() == "mend")
        try await until("the recovery") {
            let posted = try await hooks().count
            return try mail.mails().count > 1 && posted > 1
        }
        try await Task.sleep(for: .seconds(6))
        try checkMails(mail.mails(), count)
        try checkHooks(await hooks(), count)
        let pings = try await web.model()["pings"] as? Int ?? 0
        #expect(pings >= 5)
        let ended = try await rig.muster("alerts", "--history", "--format", "json").objects()
        #expect(ended.count == 1)
        #expect(ended.first?["recovered_punches"] as? Int == count * 3)
        #expect((ended.first?["deliveries"] as? [Any])?.count == 4)
        #expect(try await rig.muster("alerts").text == "All is well.\n")
        try await keepEvidence(rig, mail, await hooks())
    }

    private func checkMails(_ mails: [MailServer.Mail], _ count: Int) throws {
        #expect(mails.count == 2, "\(mails.map(\.text))")
        let first = try #require(mails.first)
        let last = try #require(mails.last)
        #expect(
            first.header("Subject")
                == "[Muster] CRITICAL: Building A has no link: \(count) of \(count) devices cannot be reached")
        #expect(last.header("Subject")?.hasPrefix("[Muster] RESOLVED: Building A has its link again after ") == true)
        #expect(last.header("Subject")?.hasSuffix("\(count) devices back; \(count * 3) punches recovered") == true)
        #expect(last.header("In-Reply-To") == first.header("Message-ID"))
        #expect(first.to == ["ops@example.com"])
    }

    private func checkHooks(_ hooks: [[String: Any]], _ count: Int) throws {
        #expect(hooks.map { $0["type"] as? String } == ["alert.firing", "alert.resolved"])
        let data = hooks.compactMap { $0["data"] as? [String: Any] }
        #expect(data.map { $0["subjects"] as? Int } == [count, count])
        #expect(data.map { $0["resolved"] as? Int } == [0, count])
        #expect(data.map { $0["recovered_punches"] as? Int } == [0, count * 3])
        #expect(Set(data.map { $0["thread"] as? String }).count == 1)
        #expect(data.map { ($0["alerts"] as? [Any])?.count } == [count, count])
    }

    private func keepEvidence(_ rig: CommandLineRig, _ mail: MailServer, _ hooks: [[String: Any]]) async throws {
        guard let directory = ProcessInfo.processInfo.environment["MUSTER_ALERT_EVIDENCE"] else { return }
        let place = URL(fileURLWithPath: directory)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        for (number, mail) in try mail.mails().enumerated() {
            try Data(mail.text.utf8).write(to: place.appendingPathComponent("mail-\(number + 1).eml"))
        }
        for (number, hook) in hooks.enumerated() {
            try JSONSerialization.data(withJSONObject: hook, options: [.prettyPrinted, .sortedKeys])
                .write(to: place.appendingPathComponent("webhook-\(number + 1).json"))
        }
        let history = try await rig.muster("alerts", "--history")
        try history.standardOutput.write(to: place.appendingPathComponent("history.txt"))
    }

    @Test("a failing mail server: the fallback gets the message, the log says so, a restart repeats nothing")
    func fallbackAndRestart() async throws {
        let dead = try FreePort.next()
        try await PythonServer.with("alert_receivers", Self.secret) { web in
            let text = """
                data: DATA
                alerts:
                  group_wait: 100ms
                  look_every: 200ms
                  rules:
                    host.disk: {warning: 0, critical: 0}
                  escalation: [{channels: [mail]}]
                  channels:
                    mail: {type: email, host: 127.0.0.1, port: \(dead), security: none, from: m@example.com, to: [a@example.com], fallback: hook, retry_base: 100ms}
                    hook: {type: webhook, url: "\(web.url)/hook", secrets: ["${HOOK:-\(Self.secret)}"]}
                devices:
                  lobby: {driver: simulator, settings: {people: 5}}
                """
            try await CommandLineRig.with(text) { rig in
                func hooks() async throws -> [[String: Any]] {
                    try await web.model()["hooks"] as? [[String: Any]] ?? []
                }
                for round in 1...2 {
                    let host = try BackgroundProcess(
                        CommandLineRig.binary, ["run", "--no-show", "--config", rig.path("muster.yaml")],
                        errors: rig.path("log-\(round)"))
                    defer { host.stop() }
                    try await until("the messages through the fallback") { try await hooks().count == 2 }
                    try await Task.sleep(for: .seconds(2))
                    if round == 1 {
                        // Given to the running host; the next one finds it in the journal.
                        let done = try await rig.muster("alerts", "ack", "1", "--by", "ada")
                        #expect(done.text == "incident 1 is looked after by ada\n", "\(done.standardError)")
                    }
                }
                let titles = try await hooks().compactMap { ($0["data"] as? [String: Any])?["title"] as? String }
                #expect(
                    titles == [
                        "CRITICAL: this host has little room on its disk",
                        "WARNING: the channel mail does not deliver messages",
                    ])
                let status = try await rig.muster("status")
                #expect(status.text.contains("2 incidents are open: muster alerts"))
                let log = try String(contentsOfFile: rig.path("log-1"), encoding: .utf8)
                #expect(log.contains("ADMIN ALERT a message could not be delivered"))
                let listed = try await rig.muster("alerts", "--format", "json").objects()
                #expect(listed.first?["acknowledged_by"] as? String == "ada")
                let channels = try await rig.muster("alerts", "channels", "--format", "json").objects()
                #expect(channels.first?["failing_since"] as? String != nil)
                #expect(try await rig.muster("alerts", "ack", "99").status == 69)
                let silence = try await rig.muster(
                    "alerts", "silence", "--device", "lobby", "--for", "2h", "--why", "works", "--by", "ada")
                #expect(silence.text.hasSuffix("for 2h after the next muster run\n"), "\(silence.standardError)")
                let silences = try await rig.muster("alerts", "--silences", "--format", "json").objects()
                #expect(silences.first?["subject"] as? String == "lobby")
                let number = try #require(silences.first?["silence"] as? Int)
                #expect(try await rig.muster("alerts", "unsilence", "\(number)").status == 0)
                #expect(try await rig.muster("alerts", "--silences", "--format", "json").objects().isEmpty)
                #expect(try await rig.muster("alerts", "silence", "--device", "nobody", "--for", "2h").status == 64)
                #expect(try await rig.muster("alerts", "silence", "--for", "2h").status == 64)
            }
        }
    }
}
