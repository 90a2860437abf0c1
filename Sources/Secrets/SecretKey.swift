internal import Crypto
internal import Foundation

/// The key under which secrets are sealed: 32 random bytes, in a file as one line of base64.
struct SecretKey: Sendable {
    static let byteCount = 32

    let key: SymmetricKey

    /// Made of random bytes of the system.
    init() { key = SymmetricKey(size: .bits256) }

    /// Reads the line of a key file; `nil` for anything else.
    init?(line: some Collection<UInt8>) {
        let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let bytes = Data(base64Encoded: text), bytes.count == Self.byteCount else { return nil }
        key = SymmetricKey(data: bytes)
    }

    var line: [UInt8] {
        key.withUnsafeBytes { Array(Data($0).base64EncodedString().utf8) + [0x0A] }
    }

    /// Tells keys apart without telling anything of them: 8 bytes of a digest, in hexadecimal.
    var identifier: String {
        let code = HMAC<SHA256>.authenticationCode(for: Array("muster key identifier".utf8), using: key)
        return code.prefix(8).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// AES-256 in Galois/counter mode under a random nonce; `context` is authenticated with it.
    func seal(_ text: String, context: String) -> Data? {
        // Fails only for keys and nonces of other sizes; `combined` is there for the nonce of 12 bytes that it makes.
        try? AES.GCM.seal(Data(text.utf8), using: key, authenticating: Data(context.utf8)).combined
    }

    /// `nil` when the bytes or the context are not those that were sealed under this key.
    func open(_ sealed: Data, context: String) -> String? {
        guard let box = try? AES.GCM.SealedBox(combined: sealed),
            let bytes = try? AES.GCM.open(box, using: key, authenticating: Data(context.utf8))
        else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension SecretKey: CustomStringConvertible, CustomReflectable {
    var description: String { "<redacted>" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
