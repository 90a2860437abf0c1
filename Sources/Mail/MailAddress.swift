/// An address of a person or a list, with the name that mail programs show: `ops@example.com`, `Night shift
/// <night@example.com>`.
public struct MailAddress: Sendable, Hashable, CustomStringConvertible {
    /// `local@domain`: printable ASCII without spaces, brackets and commas, so that it stands in a header as it is.
    public let address: String
    /// `nil` when none was given.
    public let name: String?

    /// `nil` for a text that is no address. Addresses with letters outside of ASCII are refused: few servers take them.
    public init?(_ text: String) {
        guard let open = text.firstIndex(of: "<") else {
            self.init(address: text, name: nil)
            return
        }
        guard text.last == ">" else { return nil }
        let name = String(text[..<open]).trimmed
        self.init(
            address: String(text[text.index(after: open)...].dropLast()), name: name.isEmpty ? nil : name)
    }

    private init?(address: String, name: String?) {
        let address = address.trimmed
        let halves = address.split(separator: "@", omittingEmptySubsequences: false)
        guard halves.count == 2, (1...64).contains(halves[0].utf8.count), (1...253).contains(halves[1].utf8.count),
            address.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Self.forbidden.contains($0) }),
            halves[1].utf8.first != 0x2E, halves[1].utf8.last != 0x2E,
            !(name ?? "").unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else { return nil }
        self.address = address
        self.name = name
    }

    /// `"(),:;<>[\]`: they mean something in a header.
    private static let forbidden: Set<UInt8> = [0x22, 0x28, 0x29, 0x2C, 0x3A, 0x3B, 0x3C, 0x3E, 0x5B, 0x5C, 0x5D]

    /// The part after the `@`.
    public var domain: String { address.split(separator: "@").last.map { String($0) } ?? "" }

    public var description: String { name.map { "\($0) <\(address)>" } ?? address }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
