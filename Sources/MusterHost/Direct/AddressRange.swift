/// Some IPv4 addresses: `192.168.1.0/24`, `192.168.1.10-192.168.1.40`, `192.168.1.201`.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    private let first: UInt32
    private let last: UInt32

    /// More addresses than this are not asked at in one go.
    public static let largestCount = 65_536

    public init?(_ text: String) {
        if let slash = text.firstIndex(of: "/") {
            guard let address = Self.number(text[..<slash]), let prefix = UInt32(text[text.index(after: slash)...]),
                prefix <= 32
            else { return nil }
            let mask: UInt32 = prefix == 0 ? 0 : .max << (32 - prefix)
            let (low, high) = (address & mask, address | ~mask)
            // The network and its broadcast address are nobody's.
            (first, last) = prefix < 31 ? (low + 1, high - 1) : (low, high)
        } else if let dash = text.firstIndex(of: "-") {
            guard let low = Self.number(text[..<dash]), let high = Self.number(text[text.index(after: dash)...]),
                low <= high
            else { return nil }
            (first, last) = (low, high)
        } else {
            guard let address = Self.number(text[...]) else { return nil }
            (first, last) = (address, address)
        }
    }

    public var count: Int { Int(last - first) + 1 }

    public var addresses: [String] { (first...last).prefix(Self.largestCount).map(Self.text) }

    /// All of it belongs to networks that are nobody's in the internet: private, link-local, shared and loopback ones.
    public var isPrivate: Bool {
        let networks: [(UInt32, UInt32)] = [
            (0x0A00_0000, 8), (0xAC10_0000, 12), (0xC0A8_0000, 16), (0xA9FE_0000, 16), (0x6440_0000, 10),
            (0x7F00_0000, 8),
        ]
        return networks.contains { network, prefix in
            let mask: UInt32 = .max << (32 - prefix)
            return first & mask == network && last & mask == network
        }
    }

    public var description: String {
        first == last ? Self.text(first) : "\(Self.text(first))-\(Self.text(last))"
    }

    private static func number(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard part.count <= 3, part.allSatisfy({ $0.isASCII && $0.isNumber }), let byte = UInt8(part) else {
                return nil
            }
            number = number << 8 | UInt32(byte)
        }
        return number
    }

    private static func text(_ number: UInt32) -> String {
        [24, 16, 8, 0].map { String(number >> UInt32($0) & 0xFF) }.joined(separator: ".")
    }
}
