/// The name of a secret, as it stands in `${secret:name}`.
public struct SecretName: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let text: String

    /// 1 to 64 letters, digits, `-`, `_` and `.`, beginning with a letter or a digit.
    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), let first = text.utf8.first, Self.isLetterOrDigit(first),
            text.utf8.allSatisfy({ Self.isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E })
        else { return nil }
        self.text = text
    }

    public var description: String { text }

    public static func < (left: SecretName, right: SecretName) -> Bool { left.text < right.text }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
