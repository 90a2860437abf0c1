public import Alerts
public import DeviceKit
internal import Foundation
internal import Web

/// Sends alerts through the Bot API of Telegram, or what speaks like it. Later messages of an incident answer the first.
public struct TelegramChannel: AlertChannel {
    public struct Settings: ChannelSettings, Hashable {
        static let tokenSetting = Setting.secret(
            "token", "The bot's token, from @BotFather.", example: "${TELEGRAM_TOKEN}")
        static let chatSetting = Setting.string(
            "chat", "The chat, group or channel: its number, or @name.", maximumLength: 64,
            example: "\"-1001234567890\"")
        static let topicSetting = Setting.integer(
            "topic", in: 1...Int(Int32.max), "The topic of a group that has topics.", example: "42"
        ).optional
        static let urlSetting = Setting.string(
            "url", default: "https://api.telegram.org", "The server of the Bot API.", maximumLength: 2_048)

        public static let schema = SettingsSchema(
            [tokenSetting, chatSetting, topicSetting, urlSetting] + WebSettings.all)

        let token: Secret
        let chat: String
        let topic: Int?
        let url: String
        let web: WebSettings

        public init(_ values: SettingsValues) throws(ConfigurationError) {
            token = try values.value(Self.tokenSetting)
            let isToken = token.reveal().utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || [0x3A, 0x5F, 0x2D].contains($0)
            }
            guard isToken, !token.isEmpty else {
                throw values.error(
                    Self.tokenSetting.key, "is not a bot's token", code: "wrong-form",
                    hint: "it looks like 123456:ABC-DEF1234ghIkl")
            }
            chat = try values.value(Self.chatSetting)
            topic = try values.value(Self.topicSetting)
            url = try WebSettings.address(values, Self.urlSetting)
            web = try WebSettings(values)
        }
    }

    public static let manifest = ChannelManifest(
        id: "telegram", summary: "Sends through a Telegram bot; an incident's messages answer each other.")

    /// What one message may hold.
    static let longestText = 4_000

    private let settings: Settings
    private let client: ChannelClient

    public init(settings: Settings, context: ChannelContext) throws(ChannelFault) {
        self.init(settings, client: ChannelClient("Telegram", settings.web, context))
    }

    init(_ settings: Settings, client: ChannelClient) {
        self.settings = settings
        self.client = client
    }

    public func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt {
        let reply = outgoing.reference.flatMap { Int($0) }.map { number in
            JSONNode.object(["message_id": .integer(number), "allow_sending_without_reply": true])
        }
        let body = JSONNode.object([
            "chat_id": Int(settings.chat).map { .integer($0) } ?? .string(settings.chat),
            "text": .string(outgoing.message.plainText(limit: Self.longestText)),
            "message_thread_id": settings.topic.map { .integer($0) }, "reply_parameters": reply,
            "link_preview_options": .object(["is_disabled": true]),
            "disable_notification": outgoing.message.severity == .info ? true : nil,
        ])
        let response = try await client.post(
            "\(settings.url)/bot\(settings.token.reveal())/sendMessage",
            headers: [WebRequest.Header("Content-Type", "application/json")], body: Array(body.text().utf8))
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body))
        guard answer?.ok ?? true else { throw ChannelFault(.permanent, "Telegram refuses: \(response.excerpt)") }
        return ChannelReceipt(reference: answer?.result?.number.map { String($0) })
    }

    public func close() async { await client.close() }

    private struct Answer: Decodable {
        struct Message: Decodable {
            enum CodingKeys: String, CodingKey { case number = "message_id" }
            let number: Int?
        }

        let ok: Bool
        let result: Message?
    }
}
