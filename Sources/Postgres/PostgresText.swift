/// Values in PostgreSQL's text forms, written byte by byte: a batch has many thousands of them.
public enum PostgresText {
    /// An array literal such as `{"a","b",NULL}`.
    public struct Array: Sendable {
        private var bytes: [UInt8] = [0x7B]

        public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

        /// A text; a zero byte, which PostgreSQL cannot store, becomes U+FFFD.
        public mutating func append(_ text: String) {
            separate()
            bytes.append(0x22)
            for byte in text.utf8 {
                switch byte {
                case 0x22, 0x5C: bytes.append(contentsOf: [0x5C, byte])
                case 0: bytes.append(contentsOf: "\u{FFFD}".utf8)
                default: bytes.append(byte)
                }
            }
            bytes.append(0x22)
        }

        /// NULL for `nil`.
        public mutating func append(_ text: String?) {
            guard let text else {
                separate()
                bytes.append(contentsOf: "NULL".utf8)
                return
            }
            append(text)
        }

        public mutating func append(_ number: Int64) {
            separate()
            bytes.append(contentsOf: String(number).utf8)
        }

        public mutating func append(_ flag: Bool) {
            separate()
            bytes.append(flag ? 0x74 : 0x66)
        }

        /// The whole literal.
        public consuming func literal() -> [UInt8] {
            bytes.append(0x7D)
            return bytes
        }

        private mutating func separate() {
            if bytes.count > 1 { bytes.append(0x2C) }
        }
    }

    /// Rows for `COPY … FROM STDIN` in its text format.
    public struct CopyRows: Sendable {
        public private(set) var bytes: [UInt8] = []
        private var isRowBegun = false

        public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

        /// A text; a zero byte, which PostgreSQL cannot store, becomes U+FFFD.
        public mutating func append(_ text: String) {
            separate()
            for byte in text.utf8 {
                switch byte {
                case 0x5C: bytes.append(contentsOf: [0x5C, 0x5C])
                case 0x09: bytes.append(contentsOf: [0x5C, 0x74])
                case 0x0A: bytes.append(contentsOf: [0x5C, 0x6E])
                case 0x0D: bytes.append(contentsOf: [0x5C, 0x72])
                case 0: bytes.append(contentsOf: "\u{FFFD}".utf8)
                default: bytes.append(byte)
                }
            }
        }

        /// NULL for `nil`.
        public mutating func append(_ text: String?) {
            guard let text else {
                separate()
                bytes.append(contentsOf: [0x5C, 0x4E])
                return
            }
            append(text)
        }

        public mutating func append(_ number: Int64) {
            separate()
            bytes.append(contentsOf: String(number).utf8)
        }

        public mutating func append(_ flag: Bool) {
            separate()
            bytes.append(flag ? 0x74 : 0x66)
        }

        public mutating func endRow() {
            bytes.append(0x0A)
            isRowBegun = false
        }

        private mutating func separate() {
            if isRowBegun { bytes.append(0x09) }
            isRowBegun = true
        }
    }

    /// JSON text that a `jsonb` column takes: the escapes of U+0000 and of half a surrogate pair, which it refuses, become
    /// U+FFFD. All else stays as it stands, also text that is no JSON.
    public static func storableJSON(_ text: String) -> String {
        guard text.utf8.contains(0x5C) else { return text }
        let bytes = Swift.Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == 0x5C else {
                result.append(bytes[index])
                index += 1
                continue
            }
            guard let unit = codeUnit(bytes, at: index) else {
                // An escape of one letter; its second byte may be a backslash that begins nothing.
                let end = min(index + 2, bytes.count)
                result.append(contentsOf: bytes[index..<end])
                index = end
                continue
            }
            let isPair =
                (0xD800...0xDBFF).contains(unit)
                && codeUnit(bytes, at: index + 6).map { (0xDC00...0xDFFF).contains($0) } ?? false
            let isRefused = !isPair && (unit == 0 || (0xD800...0xDFFF).contains(unit))
            let end = index + (isPair ? 12 : 6)
            result.append(contentsOf: isRefused ? Swift.Array(#"\ufffd"#.utf8)[...] : bytes[index..<end])
            index = end
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The number of an escape `\u12ab` that begins at `index`; `nil` where none does.
    private static func codeUnit(_ bytes: [UInt8], at index: Int) -> Int? {
        guard index + 6 <= bytes.count, bytes[index] == 0x5C, bytes[index + 1] == 0x75 else { return nil }
        var value = 0
        for byte in bytes[index + 2..<index + 6] {
            switch byte {
            case 0x30...0x39: value = value * 16 + Int(byte - 0x30)
            case 0x41...0x46: value = value * 16 + Int(byte - 0x41) + 10
            case 0x61...0x66: value = value * 16 + Int(byte - 0x61) + 10
            default: return nil
            }
        }
        return value
    }

    /// A name between double quotes, safe in any statement.
    public static func identifier(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"").replacing("\0", with: "") + "\""
    }
}
