public import Alerts
public import DeviceKit
internal import Foundation
internal import Web

/// Sends alerts as text messages through the API of Twilio, or of a provider that speaks like it.
public struct SMSChannel: AlertChannel {
    public struct Settings: ChannelSettings, Hashable {
        static let accountSetting = Setting.string(
            "account", "The account's SID.", maximumLength: 64, example: "AC0123456789abcdef0123456789abcdef")
        static let tokenSetting = Setting.secret("token", "The account's token.", example: "${SMS_TOKEN}")
        static let fromSetting = Setting.string(
            "from", "The sender's number or name.", maximumLength: 64, example: "\"+15005550006\"")
        static let toSetting = Setting.list(
            "to", of: .text(maximumLength: 32), count: 1...20, "Numbers with their country code.",
            example: "[\"+84901234567\"]")
        static let lengthSetting = Setting.integer(
            "length", default: 300, in: 70...1_600, "What is longer is cut: providers count by 70 or 160 characters.",
            unit: "characters")
        static let urlSetting = Setting.string(
            "url", default: "https://api.twilio.com", "The provider's server.", maximumLength: 2_048)

        public static let schema = SettingsSchema(
            [accountSetting, tokenSetting, fromSetting, toSetting, lengthSetting, urlSetting] + WebSettings.all)

        let account: String
        let token: Secret
        let from: String
        let to: [String]
        let length: Int
        let url: String
        let web: WebSettings

        public init(_ values: SettingsValues) throws(ConfigurationError) {
            account = try values.value(Self.accountSetting)
            guard account.utf8.allSatisfy({ FormText.isUnreserved($0) }) else {
                throw values.error(
                    Self.accountSetting.key, "'\(account)' is not an account's SID", code: "wrong-form",
                    hint: "it is made of letters and digits")
            }
            token = try values.value(Self.tokenSetting)
            from = try values.value(Self.fromSetting)
            to = try values.value(Self.toSetting)
            for number in to where !Self.isNumber(number) {
                throw values.error(
                    Self.toSetting.key, "'\(number)' is not a telephone number", code: "wrong-form",
                    hint: "write it with its country code, in quotes: \"+84901234567\"")
            }
            length = try values.value(Self.lengthSetting)
            url = try WebSettings.address(values, Self.urlSetting)
            web = try WebSettings(values)
        }

        private static func isNumber(_ text: String) -> Bool {
            text.first == "+" && (7...15).contains(text.utf8.count - 1)
                && text.dropFirst().utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
    }

    public static let manifest = ChannelManifest(
        id: "sms", summary: "Sends text messages through Twilio or a provider with the same API.")

    private let settings: Settings
    private let client: ChannelClient

    public init(settings: Settings, context: ChannelContext) throws(ChannelFault) {
        self.init(settings, client: ChannelClient("the SMS provider", settings.web, context))
    }

    init(_ settings: Settings, client: ChannelClient) {
        self.settings = settings
        self.client = client
    }

    /// One request for each number. Done when at least one was taken: those that were would get it again.
    public func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt {
        var remarks: [String] = []
        var last: ChannelFault?
        for number in settings.to {
            do throws(ChannelFault) {
                try await send(outgoing.message, to: number)
            } catch {
                last = error
                remarks.append("\(Self.masked(number)): \(error.message)")
            }
        }
        if let last, remarks.count == settings.to.count { throw last }
        return ChannelReceipt(remark: remarks.isEmpty ? nil : remarks.joined(separator: "; "))
    }

    private func send(_ message: AlertMessage, to number: String) async throws(ChannelFault) {
        let form = FormText.encode([
            ("To", number), ("From", settings.from), ("Body", message.plainText(limit: settings.length)),
        ])
        let credentials = Data("\(settings.account):\(settings.token.reveal())".utf8).base64EncodedString()
        _ = try await client.post(
            "\(settings.url)/2010-04-01/Accounts/\(settings.account)/Messages.json",
            headers: [
                WebRequest.Header("Content-Type", "application/x-www-form-urlencoded"),
                WebRequest.Header("Authorization", "Basic \(credentials)"),
            ], body: Array(form.utf8))
    }

    public func close() async { await client.close() }

    private static func masked(_ number: String) -> String { "…\(number.suffix(4))" }
}

/// `application/x-www-form-urlencoded`.
enum FormText {
    static func encode(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(encode($0))=\(encode($1))" }.joined(separator: "&")
    }

    private static func encode(_ text: String) -> String {
        text.utf8.map { byte in
            isUnreserved(byte) ? String(UnicodeScalar(byte)) : "%" + Hexadecimal.text([byte]).uppercased()
        }.joined()
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
    }
}
