internal import DeviceKit
internal import Foundation

/// The file of sealed secrets. Names and times stand in clear, so that they can be listed without the key.
struct SecretFile: Codable, Sendable, Equatable {
    struct Entry: Codable, Sendable, Equatable {
        /// RFC 3339.
        var changed: String
        /// Nonce, ciphertext and tag.
        var sealed: Data
    }

    static let format = "muster-secrets"
    static let version = 1
    static let maximumByteCount = 32 << 20
    static let maximumSecretCount = 1_000

    var format = Self.format
    var version = Self.version
    /// ``SecretKey/identifier`` of the key that sealed all of them.
    var key: String
    var secrets: [String: Entry] = [:]

    init(key: String) { self.key = key }

    /// What a sealed value is bound to: it opens under its own name only.
    static func context(_ name: SecretName) -> String { "\(format)\n\(version)\n\(name)" }

    func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        // Strings, numbers and bytes always encode.
        return Array((try? encoder.encode(self)) ?? Data()) + [0x0A]
    }

    static func decode(_ bytes: [UInt8], path: String) throws(SecretError) -> SecretFile {
        struct Head: Decodable {
            var format: String
            var version: Int
        }
        let data = Data(bytes)
        let decoder = JSONDecoder()
        guard let head = try? decoder.decode(Head.self, from: data), head.format == format else {
            throw SecretError(.file, "\(path) is damaged: it is not a file of secrets", hint: damageHint(path))
        }
        guard head.version == version else {
            throw SecretError(
                .file, "\(path) has version \(head.version), this muster knows version \(version)",
                hint: "use the muster that wrote it")
        }
        guard let file = try? decoder.decode(SecretFile.self, from: data),
            file.secrets.keys.allSatisfy({ SecretName($0) != nil })
        else { throw SecretError(.file, "\(path) is damaged: an entry does not decode", hint: damageHint(path)) }
        return file
    }

    static func damageHint(_ path: String) -> String {
        "bring it back from a backup, or delete \(path) and set the secrets anew with muster secret set"
    }
}
