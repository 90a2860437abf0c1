public import DeviceKit
internal import Web

/// What `type: mqtt` takes.
public struct MQTTSettings: SinkSettings, Hashable {
    static let hostSetting = Setting.host("host", "The broker.", example: "broker.example.com")
    static let portSetting = Setting<UInt16>.port("port", "The broker's port; 1883, or 8883 with tls, by default.")
        .optional
    static let tlsSetting = Setting.bool("tls", default: false, "Encrypts the connection and verifies the broker.")
    static let userSetting = Setting.optionalString("username", "The user at the broker.")
    static let passwordSetting = Setting.secret(
        "password", default: Secret(""), "That user's password.", example: "${MQTT_PASSWORD}")
    static let clientSetting = Setting.optionalString(
        "client_id", "The name of this connection, unique at the broker; muster and the sink's name by default.",
        maximumLength: 120)
    static let rootSetting = Setting.string(
        "root", default: "muster", "What every topic begins with.", maximumLength: 200)
    static let siteSetting = Setting.string(
        "site", default: "main", "The second part of every topic.", maximumLength: 100, example: "plant-2")

    public static let schema = SettingsSchema(
        hostSetting, portSetting, tlsSetting, WebSettings.authority, WebSettings.certificate, WebSettings.key,
        userSetting, passwordSetting, clientSetting, rootSetting, siteSetting, WebSettings.timeout)

    let host: String
    let port: UInt16
    let usesTLS: Bool
    let files: WebSettings
    let user: String?
    let password: Secret
    let clientID: String?
    let topics: MQTTTopics

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        host = try values.value(Self.hostSetting)
        usesTLS = try values.value(Self.tlsSetting)
        port = try values.value(Self.portSetting) ?? (usesTLS ? 8_883 : 1_883)
        files = try WebSettings(values)
        user = try values.value(Self.userSetting)
        password = try values.value(Self.passwordSetting)
        clientID = try values.value(Self.clientSetting)
        let parts = (root: try values.value(Self.rootSetting), site: try values.value(Self.siteSetting))
        for (key, text) in [("root", parts.root), ("site", parts.site)]
        where text.contains(where: { "+#\0 ".contains($0) }) || text.hasPrefix("/") || text.hasSuffix("/") {
            throw values.error(
                key, "'\(text)' cannot be part of a topic", code: "wrong-form",
                hint: "no +, #, space, nor / at its ends")
        }
        topics = MQTTTopics(root: parts.root, site: parts.site)
        if user == nil, !password.isEmpty {
            throw values.error(Self.passwordSetting.key, "a password needs a username")
        }
        if !usesTLS, !files.authorityPath.isEmpty || !files.certificatePath.isEmpty {
            throw values.error(
                Self.tlsSetting.key, "ca and certificate are of no use without tls", hint: "set tls: true")
        }
    }
}

/// Where what is published.
struct MQTTTopics: Sendable, Hashable {
    let root: String
    let site: String

    var status: String { "\(root)/\(site)/status" }
    var punch: String { "\(root)/\(site)/punch" }
    func availability(_ device: String) -> String { "\(root)/\(site)/device/\(device)/availability" }
    func state(_ device: String) -> String { "\(root)/\(site)/device/\(device)/state" }
}
