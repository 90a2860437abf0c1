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

    /// A name between double quotes, safe in any statement.
    public static func identifier(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"").replacing("\0", with: "") + "\""
    }
}
