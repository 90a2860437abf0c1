import Alerts
import DeviceKit
import DeviceKitTesting
import Foundation
import Mail
import Synchronization
import Testing
import Web

@testable import AlertChannels

/// A server that exists in the test only.
final class ScriptedExchange: HTTPExchange {
    private let asked = Mutex<[WebRequest]>([])
    private let answer: @Sendable (Int) -> WebResponse

    /// - Parameter answer: gets how many requests came before.
    init(_ answer: @escaping @Sendable (Int) -> WebResponse = { _ in WebResponse(status: 200) }) {
        self.answer = answer
    }

    var requests: [WebRequest] { asked.withLock { $0 } }

    func perform(_ request: WebRequest) async throws(SinkFault) -> WebResponse {
        answer(
            asked.withLock { asked in
                asked.append(request)
                return asked.count - 1
            })
    }

    func close() async {}
}

extension WebRequest {
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:] }
}

extension ChannelSettings {
    /// From texts, and lists of texts.
    static func make(_ texts: [String: String], lists: [String: [String]] = [:]) throws -> Self {
        let mark = SourceMark(file: "test")
        func scalar(_ text: String) -> ConfigurationNode {
            ConfigurationNode(.scalar(.init(text, origin: "test")), at: mark, path: "")
        }
        var members = texts.map { ConfigurationNode.Member(key: $0, keyMark: mark, node: scalar($1)) }
        for (key, items) in lists {
            let node = ConfigurationNode(.sequence(items.map(scalar)), at: mark, path: key)
            members.append(ConfigurationNode.Member(key: key, keyMark: mark, node: node))
        }
        var report: [Diagnostic] = []
        let node = ConfigurationNode(.mapping(members), at: mark, path: "")
        guard let values = schema.decode(node, reportingTo: &report) else { throw ConfigurationError(report) }
        return try Self(values)
    }
}

let moment = Instant(secondsSince1970: 1_795_629_645)

func outgoing(
    _ title: String = "CRITICAL: Gate <2> & co", earlier: [String] = [], reference: String? = nil,
    kind: AlertMessage.Kind = .firing
) -> AlertSend {
    AlertSend(
        channel: "ops",
        message: AlertMessage(
            id: "host.7.1", kind: kind, severity: .critical, incident: 7, thread: "host.7", title: title,
            text: "Since     today\nDevice    Gate 2\n", at: moment), earlier: earlier, reference: reference)
}

private func client(_ exchange: ScriptedExchange) -> ChannelClient {
    ChannelClient("the target") { () throws(SinkFault) in exchange }
}

private func context(_ announce: @escaping @Sendable (String, [String: String]) -> Void = { _, _ in }) -> ChannelContext
{
    ChannelContext(name: "ops", baseDirectory: "/", time: ManualTime(), announce: announce)
}

@Suite("Channels over HTTP")
struct WebChannelTests {
    @Test("the generic webhook: facts for programs, signed after Standard Webhooks")
    func generic() async throws {
        let exchange = ScriptedExchange()
        let settings = try WebhookChannel.Settings.make(
            ["url": "https://hr.example.com/alerts/", "authorization": "Bearer x"], lists: ["secrets": ["a key"]])
        let channel = WebhookChannel(settings, time: ManualTime(start: moment), client: client(exchange))
        #expect(try await channel.send(outgoing()) == ChannelReceipt())
        let request = try #require(exchange.requests.first)
        #expect(request.url == "https://hr.example.com/alerts")
        #expect(request.header("webhook-id") == "host.7.1")
        #expect(request.header("webhook-timestamp") == "1795629645")
        #expect(request.header("webhook-signature")?.hasPrefix("v1,") == true)
        #expect(request.header("Authorization") == "Bearer x")
        #expect(request.json["type"] as? String == "alert.firing")
        #expect(request.json["timestamp"] as? String == "2026-11-25T18:00:45Z")
        let data = try #require(request.json["data"] as? [String: Any])
        #expect(data["incident"] as? Int == 7)
        #expect(data["title"] as? String == "CRITICAL: Gate <2> & co")
        #expect(data["site"] is NSNull)
    }

    @Test("Slack's markup is escaped; Teams gets a card")
    func chats() async throws {
        for (body, check) in [
            ("slack", { ($0["text"] as? String)?.hasPrefix("*CRITICAL: Gate &lt;2&gt; &amp; co*\n```Since") == true }),
            (
                "teams",
                {
                    (($0["attachments"] as? [[String: Any]])?.first?["content"] as? [String: Any])?["type"] as? String
                        == "AdaptiveCard"
                }
            ),
        ] as [(String, ([String: Any]) -> Bool)] {
            let exchange = ScriptedExchange()
            let settings = try WebhookChannel.Settings.make(["url": "https://chat.example.com/x", "body": body])
            _ = try await WebhookChannel(settings, time: ManualTime(), client: client(exchange)).send(outgoing())
            let json = try #require(exchange.requests.first?.json)
            #expect(check(json), "\(json)")
        }
    }

    @Test(
        "what answers mean",
        arguments: [
            (500, ChannelFault.Kind.transient), (429, .transient), (401, .permanent), (404, .permanent),
            (302, .permanent),
        ])
    func faults(_ status: Int, _ kind: ChannelFault.Kind) async throws {
        let exchange = ScriptedExchange { _ in
            WebResponse(status: status, headers: [.init("Retry-After", "7")], body: Array("why".utf8))
        }
        let settings = try WebhookChannel.Settings.make(["url": "https://chat.example.com/secret-path"])
        let channel = WebhookChannel(settings, time: ManualTime(), client: client(exchange))
        let fault = await #expect(throws: ChannelFault.self) { try await channel.send(outgoing()) }
        #expect(fault?.kind == kind)
        #expect(fault?.retryAfter == (status == 429 || status == 500 ? .seconds(7) : nil))
        #expect(fault?.message.contains("secret-path") == false)
    }

    @Test("Telegram: later messages answer the first, and the token is in no message")
    func telegram() async throws {
        let exchange = ScriptedExchange { number in
            number < 2
                ? WebResponse(status: 200, body: Array(#"{"ok":true,"result":{"message_id":41}}"#.utf8))
                : WebResponse(status: 403, body: Array(#"{"ok":false,"description":"bot was kicked"}"#.utf8))
        }
        let settings = try TelegramChannel.Settings.make(["token": "12:AB-c_d", "chat": "-100123", "topic": "9"])
        let channel = TelegramChannel(settings, client: client(exchange))
        #expect(try await channel.send(outgoing()).reference == "41")
        _ = try await channel.send(outgoing(reference: "41", kind: .resolved))
        let requests = exchange.requests
        #expect(requests[0].url == "https://api.telegram.org/bot12:AB-c_d/sendMessage")
        #expect(requests[0].json["chat_id"] as? Int == -100_123)
        #expect(requests[0].json["message_thread_id"] as? Int == 9)
        #expect(requests[0].json["text"] as? String == "CRITICAL: Gate <2> & co\n\nSince     today\nDevice    Gate 2\n")
        #expect(requests[0].json["reply_parameters"] == nil)
        #expect((requests[1].json["reply_parameters"] as? [String: Any])?["message_id"] as? Int == 41)
        let fault = await #expect(throws: ChannelFault.self) { try await channel.send(outgoing()) }
        #expect(fault?.kind == .permanent)
        #expect(fault?.message.contains("AB-c_d") == false)
        #expect(throws: ConfigurationError.self) {
            try TelegramChannel.Settings.make(["token": "a/../b", "chat": "1"])
        }
    }

    @Test("SMS: a form for each number; done when one was taken, and the rest is remarked")
    func sms() async throws {
        let exchange = ScriptedExchange { WebResponse(status: $0 == 1 ? 400 : 201) }
        let settings = try SMSChannel.Settings.make(
            ["account": "AC12", "token": "secret", "from": "+1555", "length": "70"],
            lists: ["to": ["+84901234567", "+84901234568"]])
        let channel = SMSChannel(settings, client: client(exchange))
        let receipt = try await channel.send(outgoing("Gate 2 & größer+"))
        #expect(receipt.remark?.hasPrefix("…4568: the target answers 400") == true)
        let request = try #require(exchange.requests.first)
        #expect(request.url == "https://api.twilio.com/2010-04-01/Accounts/AC12/Messages.json")
        #expect(request.header("Authorization") == "Basic QUMxMjpzZWNyZXQ=")
        #expect(
            request.text
                == "To=%2B84901234567&From=%2B1555&Body=Gate%202%20%26%20gr%C3%B6%C3%9Fer%2B%0A%0ASince%20%20%20%20%20today%0ADevice%20%20%20%20Gate%202%0A"
        )
        let none = SMSChannel(settings, client: client(ScriptedExchange { _ in WebResponse(status: 503) }))
        let fault = await #expect(throws: ChannelFault.self) { try await none.send(outgoing()) }
        #expect(fault?.kind == .transient)
        #expect(throws: ConfigurationError.self) {
            try SMSChannel.Settings.make(["account": "AC12", "token": "x", "from": "a"], lists: ["to": ["0901234"]])
        }
    }

    @Test("long texts are cut to what a channel holds")
    func limits() {
        let long = outgoing(String(repeating: "x", count: 500)).message.plainText(limit: 300)
        #expect(long.count == 300)
        #expect(long.hasSuffix("…"))
    }
}

@Suite("E-mail, the log and commands")
struct LocalChannelTests {
    private let mailTexts = ["host": "smtp.example.com", "from": "Muster <muster@example.com>"]

    @Test("an incident's messages are one conversation, and critical ones are urgent")
    func threads() throws {
        let settings = try EmailChannel.Settings.make(mailTexts, lists: ["to": ["ops@example.com"]])
        let first = EmailChannel.mail(outgoing(), settings, at: moment)
        #expect(first.id == "host.7.1@example.com")
        #expect(first.references == [])
        #expect(first.isUrgent)
        #expect(first.subject == "[Muster] CRITICAL: Gate <2> & co")
        let last = EmailChannel.mail(
            outgoing(earlier: ["host.7.1", "host.7.2"], kind: .resolved), settings, at: moment)
        #expect(last.references == ["host.7.1@example.com", "host.7.2@example.com"])
        #expect(!last.isUrgent)
    }

    @Test("settings that cannot work are refused where they stand")
    func settings() throws {
        let to = ["to": ["ops@example.com"]]
        func make(_ more: [String: String]) throws -> EmailChannel.Settings {
            try .make(mailTexts.merging(more) { $1 }, lists: to)
        }
        #expect(try make([:]).port == 587)
        #expect(try make(["security": "tls"]).port == 465)
        #expect(throws: ConfigurationError.self) { try make(["user": "a"]) }
        #expect(throws: ConfigurationError.self) { try make(["password": "a"]) }
        #expect(throws: ConfigurationError.self) { try make(["user": "a", "password": "b", "security": "none"]) }
        #expect(try make(["user": "a", "password": "b", "security": "none", "host": "127.0.0.1"]).port == 25)
        #expect(throws: ConfigurationError.self) { try make(["from": "x\r\nBcc: all@example.com"]) }
        #expect(String(describing: try make(["user": "a", "password": "canary-1"])).contains("canary-1") == false)
    }

    @Test("the log gets one line that people grep for")
    func log() async throws {
        let lines = Mutex<[String]>([])
        let channel = try LogChannel(
            settings: LogChannel.Settings.make([:]),
            context: ChannelContext(name: "log", baseDirectory: "/", time: ManualTime()) { line, facts in
                lines.withLock {
                    $0.append("\(line) \(facts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })")
                }
            })
        _ = try await channel.send(outgoing())
        #expect(
            lines.withLock { $0 } == [
                #"ADMIN ALERT CRITICAL: Gate <2> & co ["incident=7", "kind=firing", "severity=critical"]"#
            ])
    }

    private func command(_ words: [String], timeout: String = "10s") throws -> CommandChannel {
        try CommandChannel(settings: .make(["timeout": timeout], lists: ["command": words]), context: context())
    }

    private func script(_ text: String, timeout: String = "10s") throws -> CommandChannel {
        try command(["/bin/sh", "-c", text], timeout: timeout)
    }

    @Test("a command reads JSON, and its words are no shell's")
    func commands() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let channel = try command(["/bin/sh", "-c", "cat > \(file); echo \"$1\" >> \(file)", "sh", "$(id); `id`"])
        _ = try await channel.send(outgoing("with \"quotes\" and $(id)"))
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.last == "$(id); `id`")
        let event = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any]
        #expect((event?["data"] as? [String: Any])?["title"] as? String == "with \"quotes\" and $(id)")
    }

    @Test("a command that does not read, and a large message, harm nobody")
    func unread() async throws {
        _ = try await script("exit 0").send(outgoing(String(repeating: "x", count: 500_000)))
    }

    @Test(
        "what becomes of a command that fails",
        arguments: [
            ("echo no paper >&2; exit 3", ChannelFault.Kind.transient, "/bin/sh ended with 3: no paper"),
            ("kill -9 $$", .transient, "/bin/sh was ended by signal 9"),
            ("sleep 60", .transient, "/bin/sh ran longer than 400ms and was ended"),
            ("sleep 60 & exec sleep 60", .transient, "/bin/sh ran longer than 400ms and was ended"),
            ("yes", .permanent, "/bin/sh wrote too much and was ended"),
        ])
    func failures(_ text: String, _ kind: ChannelFault.Kind, _ message: String) async throws {
        let channel = try script(text, timeout: text == "yes" ? "10s" : "400ms")
        let fault = await #expect(throws: ChannelFault.self) { try await channel.send(outgoing()) }
        #expect(fault?.kind == kind)
        #expect(fault?.message.hasPrefix(message) == true, "\(fault?.message ?? "")")
    }

    @Test("a program that is not there")
    func missing() async throws {
        let fault = await #expect(throws: ChannelFault.self) {
            try await command(["/nowhere/page"]).send(outgoing())
        }
        #expect(fault?.kind == .permanent)
        #expect(throws: ConfigurationError.self) { try command(["page"]) }
    }

    @Test("a command gets no descriptor of the host")
    func descriptors() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data().write(to: file)
        let inherited = try FileHandle(forReadingFrom: file)
        _ = fcntl(inherited.fileDescriptor, F_SETFD, 0)
        _ = try await script("[ \"$(ls /proc/self/fd | wc -l)\" -le 4 ]").send(outgoing())
        try inherited.close()
    }
}
