public import Alerts
public import DeviceKit
internal import Web

/// Posts alerts to a web address: as JSON of its own, signed, or in the form that Slack or Teams shows.
public struct WebhookChannel: AlertChannel {
    public enum Body: String, Sendable, Hashable, CaseIterable {
        /// Everything, for programs.
        case generic
        /// `{"text": …}`: Slack, Mattermost, Rocket.Chat, Google Chat.
        case slack
        /// An adaptive card, for a workflow of Microsoft Teams.
        case teams
    }

    public struct Settings: ChannelSettings, Hashable {
        static let urlSetting = Setting.secret(
            "url", "Where messages are posted to. For Slack and Teams it is a secret: whoever has it can post.",
            example: "${ALERT_WEBHOOK}")
        static let bodySetting = Setting<Body>.choice(
            "body", default: .generic, "The form of the message: generic (JSON for programs), slack or teams.")
        static let authorizationSetting = Setting.secret(
            "authorization", default: Secret(""),
            "The value of an Authorization header, for example Bearer and a token.",
            example: "${ALERT_TOKEN}")

        public static let schema = SettingsSchema(
            [urlSetting, bodySetting, WebSignature.secretsSetting, WebSignature.signatureSetting, authorizationSetting]
                + WebSettings.all)

        let url: Secret
        let body: Body
        let keys: [[UInt8]]
        let signature: WebSignature
        let authorization: Secret
        let web: WebSettings

        public init(_ values: SettingsValues) throws(ConfigurationError) {
            url = try WebSettings.address(values, Self.urlSetting)
            body = try values.value(Self.bodySetting)
            keys = try WebSignature.keys(values)
            signature = try values.value(WebSignature.signatureSetting)
            authorization = try values.value(Self.authorizationSetting)
            web = try WebSettings(values)
        }
    }

    public static let manifest = ChannelManifest(
        id: "webhook", summary: "Posts to a web address: JSON for programs, or what Slack and Teams show.")

    private let settings: Settings
    private let time: any TimeSource
    private let client: ChannelClient

    public init(settings: Settings, context: ChannelContext) throws(ChannelFault) {
        self.init(settings, time: context.time, client: ChannelClient("the webhook", settings.web, context))
    }

    init(_ settings: Settings, time: any TimeSource, client: ChannelClient) {
        self.settings = settings
        self.time = time
        self.client = client
    }

    public func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt {
        let message = outgoing.message
        let body = Array(Self.body(message, settings.body).text().utf8)
        var headers = [WebRequest.Header("Content-Type", "application/json")]
        headers += settings.signature.headers(id: message.id, body: body, keys: settings.keys, now: time.now())
        if !settings.authorization.isEmpty {
            headers.append(WebRequest.Header("Authorization", settings.authorization.reveal()))
        }
        _ = try await client.post(settings.url.reveal(), headers: headers, body: body)
        return ChannelReceipt()
    }

    public func close() async { await client.close() }

    static func body(_ message: AlertMessage, _ form: Body) -> JSONNode {
        switch form {
        case .generic: AlertJSON.event(message)
        case .slack:
            // Slack reads & and <…> as markup; the names of devices are the operator's.
            .object(["text": .string("*\(slackText(message.title))*\n```\(slackText(message.text))```")])
        case .teams:
            .object([
                "type": "message",
                "attachments": [
                    .object([
                        "contentType": "application/vnd.microsoft.card.adaptive",
                        "content": .object([
                            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard",
                            "version": "1.4",
                            "body": [
                                .object([
                                    "type": "TextBlock", "text": .string(message.title), "weight": "Bolder",
                                    "wrap": true, "color": .string(colour(message)),
                                ]),
                                .object([
                                    "type": "TextBlock", "text": .string(message.text.replacing("\n", with: "\n\n")),
                                    "wrap": true,
                                ]),
                            ],
                        ]),
                    ])
                ],
            ])
        }
    }

    private static func slackText(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("```", with: "'''")
    }

    private static func colour(_ message: AlertMessage) -> String {
        switch (message.kind, message.severity) {
        case (.resolved, _): "Good"
        case (_, .critical): "Attention"
        case (_, .warning): "Warning"
        case (_, .info): "Default"
        }
    }
}
