public import DeviceKit
internal import Web

/// What `type: webhook` takes.
public struct WebhookSettings: SinkSettings, Hashable {
    static let urlSetting = Setting.string(
        "url", "Where punches are posted to.", maximumLength: 2_048, example: "https://hr.example.com/punches")
    static let batchSetting = Setting.integer(
        "batch", default: 100, in: 1...500,
        "The most punches of one request; 1 posts each by itself, as an object instead of a list.", unit: "punches")
    static let authorizationSetting = Setting.secret(
        "authorization", default: Secret(""), "The value of an Authorization header, for example Bearer and a token.",
        example: "${WEBHOOK_AUTHORIZATION}")

    public static let schema = SettingsSchema(
        [
            urlSetting, WebSignature.secretsSetting, WebSignature.signatureSetting, batchSetting, authorizationSetting,
        ] + WebSettings.all)

    let url: String
    /// The bytes of each key.
    let keys: [[UInt8]]
    let signature: WebSignature
    let batch: Int
    let authorization: Secret
    let web: WebSettings

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        url = try WebSettings.address(values, Self.urlSetting)
        keys = try WebSignature.keys(values)
        signature = try values.value(WebSignature.signatureSetting)
        batch = try values.value(Self.batchSetting)
        authorization = try values.value(Self.authorizationSetting)
        web = try WebSettings(values)
    }
}
