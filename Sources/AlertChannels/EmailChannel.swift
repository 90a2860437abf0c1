public import Alerts
public import DeviceKit
internal import Mail

/// Sends alerts by e-mail over SMTP. The messages of an incident are one conversation.
public struct EmailChannel: AlertChannel {
    public struct Settings: ChannelSettings, Hashable {
        static let hostSetting = Setting.host("host", "The mail server.", example: "smtp.example.com")
        static let portSetting = Setting.port("port", "Its port; 587, or 465 with tls, or 25 with none.").optional
        static let securitySetting = Setting<SMTPOptions.Security>.choice(
            "security", default: .startTLS,
            "starttls (a server that cannot is given nothing), tls from the first byte, or none.")
        static let userSetting = Setting.optionalString("user", "Who logs in.", example: "muster@example.com")
        static let passwordSetting = Setting.secret(
            "password", default: Secret(""), "The password of the user.", example: "${SMTP_PASSWORD}")
        static let authoritySetting = Setting.path(
            "ca", default: "", "A PEM file of certificate authorities to trust instead of the system's.")
        static let fromSetting = Setting<MailAddress>(
            "from", .mailAddress, "The sender.", example: "Muster <muster@example.com>")
        static let toSetting = Setting.list(
            "to", of: .mailAddress, count: 1...50, "Who gets the messages.", example: "[ops@example.com]")
        static let timeoutSetting = Setting.duration(
            "timeout", default: .seconds(30), in: .seconds(1) ... .seconds(600), "What one message may take.")

        public static let schema = SettingsSchema(
            hostSetting, portSetting, securitySetting, userSetting, passwordSetting, authoritySetting, fromSetting,
            toSetting, timeoutSetting)

        let host: String
        let port: UInt16
        let security: SMTPOptions.Security
        let user: String?
        let password: Secret
        let authority: String
        let from: MailAddress
        let to: [MailAddress]
        let timeout: Duration

        public init(_ values: SettingsValues) throws(ConfigurationError) {
            host = try values.value(Self.hostSetting)
            security = try values.value(Self.securitySetting)
            let usual: UInt16 =
                switch security {
                case .startTLS: 587
                case .tls: 465
                case .none: 25
                }
            port = try values.value(Self.portSetting) ?? usual
            user = try values.value(Self.userSetting)
            password = try values.value(Self.passwordSetting)
            authority = try values.value(Self.authoritySetting)
            from = try values.value(Self.fromSetting)
            to = try values.value(Self.toSetting)
            timeout = try values.value(Self.timeoutSetting)
            if (user == nil) != password.isEmpty {
                throw values.error(
                    user == nil ? Self.userSetting.key : Self.passwordSetting.key, "user and password belong together",
                    hint: "give both or neither")
            }
            let isLocal = host == "localhost" || host == "::1" || host.hasPrefix("127.")
            if user != nil, security == .none, !isLocal {
                throw values.error(
                    Self.securitySetting.key, "the password would travel in clear", hint: "use starttls or tls")
            }
        }
    }

    public static let manifest = ChannelManifest(
        id: "email", summary: "Sends e-mail over SMTP; the messages of an incident are one conversation.")

    private let settings: Settings
    private let time: any TimeSource
    private let client: SMTPClient

    public init(settings: Settings, context: ChannelContext) throws(ChannelFault) {
        self.settings = settings
        time = context.time
        var options = SMTPOptions(host: settings.host, port: settings.port, security: settings.security)
        options.credentials = settings.user.map { .init(user: $0, password: settings.password.reveal()) }
        if !settings.authority.isEmpty {
            options.authority =
                settings.authority.hasPrefix("/")
                ? settings.authority : context.baseDirectory + "/" + settings.authority
        }
        options.clientName = settings.from.domain
        options.timeout = settings.timeout
        client = SMTPClient(options)
    }

    public func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt {
        let refused: [RefusedRecipient]
        do throws(MailError) {
            refused = try await client.send(Self.mail(outgoing, settings, at: time.now()))
        } catch {
            switch error.kind {
            case .transient: throw ChannelFault(.transient, error.message)
            case .cancelled: throw ChannelFault(.cancelled, error.message)
            case .refused, .security, .options: throw ChannelFault(.permanent, error.message)
            }
        }
        guard !refused.isEmpty else { return ChannelReceipt() }
        return ChannelReceipt(remark: refused.map { "\($0.address): \($0.reason)" }.joined(separator: "; "))
    }

    public func close() async {}

    static func mail(_ outgoing: AlertSend, _ settings: Settings, at now: Instant) -> MailMessage {
        let message = outgoing.message
        let id = { (id: String) in "\(id)@\(settings.from.domain)" }
        var mail = MailMessage(
            from: settings.from, to: settings.to, subject: "[Muster] \(message.title)",
            text: "\(message.title)\n\n\(message.text)", date: now, id: id(message.id),
            references: outgoing.earlier.map(id))
        mail.isUrgent = message.severity == .critical && message.kind != .resolved
        return mail
    }
}

extension SettingType where Value == MailAddress {
    /// `ops@example.com` or `Night shift <night@example.com>`.
    static var mailAddress: SettingType<MailAddress> {
        SettingType(
            name: "e-mail address", schema: .object(["type": "string"]), write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("an e-mail address").text
                guard let address = MailAddress(text) else {
                    throw node.error(
                        "'\(text)' is not an e-mail address", code: "wrong-form",
                        hint: "write it as ops@example.com or Night shift <night@example.com>")
                }
                return address
            })
    }
}
