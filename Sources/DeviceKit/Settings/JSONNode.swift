/// A JSON value that keeps the order of its members: schemas are read by people too.
public indirect enum JSONNode: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONNode])
    case object([Member])

    /// A key of an object and its value.
    public struct Member: Sendable, Hashable {
        public let key: String
        public let value: JSONNode

        public init(key: String, value: JSONNode) {
            self.key = key
            self.value = value
        }
    }

    /// An object from pairs, in order; pairs without a value are left out.
    public static func object(_ pairs: KeyValuePairs<String, JSONNode?>) -> JSONNode {
        .object(pairs.compactMap { pair in pair.value.map { Member(key: pair.key, value: $0) } })
    }

    /// An array of texts.
    public static func strings(_ texts: some Sequence<String>) -> JSONNode { .array(texts.map { .string($0) }) }

    /// The object with one more member at its end, or with that member's value replaced where it stands.
    public func adding(_ key: String, _ value: JSONNode?) -> JSONNode {
        guard case .object(var members) = self, let value else { return self }
        let member = Member(key: key, value: value)
        if let index = members.firstIndex(where: { $0.key == key }) {
            members[index] = member
        } else {
            members.append(member)
        }
        return .object(members)
    }

    public subscript(key: String) -> JSONNode? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// JSON text: on one line, or indented by two spaces a level.
    public func text(pretty: Bool = false) -> String {
        var bytes: [UInt8] = []
        append(to: &bytes, indent: pretty ? 0 : nil)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func append(to bytes: inout [UInt8], indent: Int?) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .number(let value): bytes.append(contentsOf: (value.isFinite ? DecimalText.text(value) : "null").utf8)
        case .string(let value): JSONText.append(value, to: &bytes)
        case .array(let elements):
            Self.append(elements, open: "[", close: "]", to: &bytes, indent: indent) { element, bytes, indent in
                element.append(to: &bytes, indent: indent)
            }
        case .object(let members):
            Self.append(members, open: "{", close: "}", to: &bytes, indent: indent) { member, bytes, indent in
                JSONText.append(member.key, to: &bytes)
                bytes.append(contentsOf: (indent == nil ? ":" : ": ").utf8)
                member.value.append(to: &bytes, indent: indent)
            }
        }
    }

    private static func append<Element>(
        _ elements: [Element], open: String, close: String, to bytes: inout [UInt8], indent: Int?,
        _ write: (Element, inout [UInt8], Int?) -> Void
    ) {
        bytes.append(contentsOf: open.utf8)
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(contentsOf: ",".utf8) }
            breakLine(&bytes, indent.map { $0 + 2 })
            write(element, &bytes, indent.map { $0 + 2 })
        }
        if !elements.isEmpty { breakLine(&bytes, indent) }
        bytes.append(contentsOf: close.utf8)
    }

    private static func breakLine(_ bytes: inout [UInt8], _ indent: Int?) {
        guard let indent else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: indent))
    }
}
