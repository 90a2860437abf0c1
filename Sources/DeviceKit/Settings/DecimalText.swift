/// Reads and writes decimal numbers as people write them in a configuration.
enum DecimalText {
    /// Digits with an optional sign; a leading zero is refused, because YAML readers disagree on its base.
    static func integer(_ text: some StringProtocol) -> Int? {
        let digits = text.utf8.first == 0x2D || text.utf8.first == 0x2B ? text.dropFirst() : text[...]
        guard isDigits(digits), digits.utf8.count == 1 || digits.utf8.first != 0x30 else { return nil }
        return Int(text)
    }

    /// Digits with an optional sign and an optional fraction. No exponent, no `inf`, no `nan`.
    static func number(_ text: some StringProtocol) -> Double? {
        let unsigned = text.utf8.first == 0x2D || text.utf8.first == 0x2B ? text.dropFirst() : text[...]
        let halves = unsigned.split(separator: ".", omittingEmptySubsequences: false)
        guard halves.count <= 2, halves.allSatisfy({ isDigits($0) }), text.utf8.count <= 40 else { return nil }
        return Double(String(text))
    }

    /// Without a fraction where there is none.
    static func text(_ number: Double) -> String {
        Int(exactly: number).map { String($0) } ?? String(number)
    }

    static func isDigits(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
