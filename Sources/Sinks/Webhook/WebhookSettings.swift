public import DeviceKit
internal import Foundation

/// What `type: webhook` takes.
public struct WebhookSettings: SinkSettings, Hashable {
    /// How a receiver can tell that a request is ours.
    public enum Signature: String, Sendable, Hashable, CaseIterable {
        /// `webhook-id`, `webhook-timestamp`, `webhook-signature` of Standard Webhooks 1.0.
        case standard
        /// `X-Hub-Signature-256: sha256=…` over the body.
        case github
        /// `Signature: t=…,v1=…` over time and body.
        case stripe
    }

    static let urlSetting = Setting.string(
        "url", "Where punches are posted to.", maximumLength: 2_048, example: "https://hr.example.com/punches")
    static let secretsSetting = Setting.list(
        "secrets", of: SettingType<Secret>.secret,
        "Keys of the signature, the newest first; two at a time while one replaces the other. whsec_ and base64, or a text.",
        example: "[\"${WEBHOOK_SECRET}\"]")
    static let signatureSetting = Setting<Signature>.choice(
        "signature", default: .standard, "The form of the signature: Standard Webhooks, GitHub's or Stripe's.")
    static let batchSetting = Setting.integer(
        "batch", default: 100, in: 1...500,
        "The most punches of one request; 1 posts each by itself, as an object instead of a list.", unit: "punches")
    static let authorizationSetting = Setting.secret(
        "authorization", default: Secret(""), "The value of an Authorization header, for example Bearer and a token.",
        example: "${WEBHOOK_AUTHORIZATION}")

    public static let schema = SettingsSchema(
        [urlSetting, secretsSetting, signatureSetting, batchSetting, authorizationSetting] + WebSettings.all)

    let url: String
    /// The bytes of each key.
    let keys: [[UInt8]]
    let signature: Signature
    let batch: Int
    let authorization: Secret
    let web: WebSettings

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        url = try WebSettings.address(values, Self.urlSetting)
        var keys: [[UInt8]] = []
        for secret in try values.value(Self.secretsSetting) {
            guard let key = Self.key(secret.reveal()) else {
                throw values.error(
                    "secrets", "a key is not base64 after whsec_", code: "wrong-form",
                    hint: "make one with: echo whsec_$(openssl rand -base64 32)")
            }
            keys.append(key)
        }
        self.keys = keys
        signature = try values.value(Self.signatureSetting)
        batch = try values.value(Self.batchSetting)
        authorization = try values.value(Self.authorizationSetting)
        web = try WebSettings(values)
    }

    private static func key(_ text: String) -> [UInt8]? {
        guard text.hasPrefix("whsec_") else { return text.isEmpty ? nil : Array(text.utf8) }
        return Data(base64Encoded: String(text.dropFirst(6))).map { Array($0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
