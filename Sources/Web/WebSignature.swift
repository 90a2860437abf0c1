internal import Crypto
package import DeviceKit
internal import Foundation

/// How a receiver can tell that a request is ours.
package enum WebSignature: String, Sendable, Hashable, CaseIterable {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature` of Standard Webhooks 1.0.
    case standard
    /// `X-Hub-Signature-256: sha256=…` over the body.
    case github
    /// `Signature: t=…,v1=…` over time and body.
    case stripe

    /// - Parameters:
    ///   - id: stable across attempts.
    ///   - keys: the newest first; without any there is no signature, only the id and the time.
    ///   - now: of this attempt.
    package func headers(id: String, body: [UInt8], keys: [[UInt8]], now: Instant) -> [WebRequest.Header] {
        let seconds = String(now.secondsSince1970)
        var headers = [WebRequest.Header("webhook-id", id), WebRequest.Header("webhook-timestamp", seconds)]
        guard let newest = keys.first else { return headers }
        switch self {
        case .standard:
            let signatures = keys.map { key in
                "v1," + Data(Self.authentication(Array("\(id).\(seconds).".utf8) + body, key)).base64EncodedString()
            }
            headers.append(WebRequest.Header("webhook-signature", signatures.joined(separator: " ")))
        case .github:
            let code = Hexadecimal.text(Self.authentication(body, newest))
            headers.append(WebRequest.Header("X-Hub-Signature-256", "sha256=" + code))
        case .stripe:
            let codes = keys.map { key in
                "v1=" + Hexadecimal.text(Self.authentication(Array("\(seconds).".utf8) + body, key))
            }
            headers.append(WebRequest.Header("Signature", (["t=\(seconds)"] + codes).joined(separator: ",")))
        }
        return headers
    }

    /// The bytes of a key: base64 after `whsec_`, else the text itself; `nil` for what is neither.
    package static func key(_ text: String) -> [UInt8]? {
        guard text.hasPrefix("whsec_") else { return text.isEmpty ? nil : Array(text.utf8) }
        return Data(base64Encoded: String(text.dropFirst(6))).map { Array($0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func authentication(_ text: [UInt8], _ key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: key)))
    }
}

/// The setting that both the webhook sink and the webhook channel have.
extension WebSignature {
    package static let secretsSetting = Setting.list(
        "secrets", of: SettingType<Secret>.secret,
        "Keys of the signature, the newest first; two at a time while one replaces the other. whsec_ and base64, or a text.",
        example: "[\"${WEBHOOK_SECRET}\"]")
    package static let signatureSetting = Setting<WebSignature>.choice(
        "signature", default: .standard, "The form of the signature: Standard Webhooks, GitHub's or Stripe's.")

    /// The bytes of each key.
    package static func keys(_ values: SettingsValues) throws(ConfigurationError) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for secret in try values.value(secretsSetting) {
            guard let key = key(secret.reveal()) else {
                throw values.error(
                    secretsSetting.key, "a key is not base64 after whsec_", code: "wrong-form",
                    hint: "make one with: echo whsec_$(openssl rand -base64 32)")
            }
            keys.append(key)
        }
        return keys
    }
}

/// Bytes as lower-case hexadecimal digits.
package enum Hexadecimal {
    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0xF)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
