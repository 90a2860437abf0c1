internal import Crypto
internal import DeviceKit
internal import Foundation

/// A token of 256 random bits. Its text is told once; the configuration keeps the digest.
public struct NewToken: Sendable {
    /// `muster_` and 43 characters that need no escaping anywhere.
    public let text: String
    /// SHA-256 of the text, in hexadecimal.
    public let digest: String

    public init() {
        let bytes = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
        let base64 = bytes.base64EncodedString()
        text = "muster_" + base64.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        digest = HexDump.hex(SHA256.hash(data: Data(text.utf8)))
    }
}
