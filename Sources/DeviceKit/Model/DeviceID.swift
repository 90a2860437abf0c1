/// The name of a device in the configuration: its key under `devices:`.
///
/// 1...64 characters: ASCII letters, digits, `-`, `_` and `.`, beginning with a letter or a digit. Safe in file names,
/// URLs and topics.
public struct DeviceID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let name: String

    /// `nil` when `name` breaks the rule above.
    public init?(_ name: String) {
        let bytes = name.utf8
        guard (1...64).contains(bytes.count), let first = bytes.first, Self.isAlphanumeric(first),
            bytes.allSatisfy({ Self.isAlphanumeric($0) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E })
        else { return nil }
        self.name = name
    }

    public var description: String { name }

    public static func < (left: DeviceID, right: DeviceID) -> Bool { left.name < right.name }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
