/// Text as printable ASCII in short lines (RFC 2045): readable as it stands where it is ASCII already.
enum QuotedPrintable {
    /// Characters of a line, without its soft break.
    private static let lineLength = 75

    static func encode(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            bytes += encode(Array(line.utf8))
            bytes += [0x0D, 0x0A]
        }
        return bytes
    }

    private static func encode(_ line: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var length = 0
        for (index, byte) in line.enumerated() {
            let isLast = index == line.count - 1
            let isPlain = (0x21...0x7E).contains(byte) && byte != 0x3D || byte == 0x20 && !isLast
            let next = isPlain ? [byte] : [0x3D, hexDigit(byte >> 4), hexDigit(byte & 0xF)]
            if length + next.count > lineLength {
                result += [0x3D, 0x0D, 0x0A]
                length = 0
            }
            result += next
            length += next.count
        }
        return result
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x37 + nibble }
}

enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let number = group.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << UInt32(16 - 8 * $1.offset) }
            for place in 0..<4 {
                text.append(place <= group.count ? digits[Int(number >> UInt32(18 - 6 * place) & 63)] : 0x3D)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
