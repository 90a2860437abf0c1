extension SettingType where Value == String {
    /// One line of text. Numbers and `yes` need no quotes: the text is taken as it stands.
    public static func text(maximumLength: Int = 1_024, allowsEmpty: Bool = false) -> SettingType<String> {
        SettingType(
            name: "text",
            schema: .object([
                "type": ["string", "number", "boolean"], "minLength": allowsEmpty ? nil : 1,
                "maxLength": .integer(maximumLength),
            ]),
            write: { .string($0) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a text").text
                guard allowsEmpty || !text.isEmpty else { throw node.error("must not be empty", code: "out-of-range") }
                guard text.unicodeScalars.count <= maximumLength else {
                    throw node.error("is longer than \(maximumLength) characters", code: "out-of-range")
                }
                guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                    throw node.error("must be one line without control characters", code: "wrong-form")
                }
                return text
            })
    }

    /// A file or directory; relative ones start where the owner of the setting says.
    public static var path: SettingType<String> {
        let text = text(maximumLength: 4_096)
        return SettingType(
            name: "path", schema: text.schema.adding("type", "string"), write: text.write, read: text.read)
    }

    /// A host name or a literal IPv4 or IPv6 address, without a port and without brackets.
    public static var host: SettingType<String> {
        SettingType(
            name: "host name or address",
            schema: .object(["type": "string", "minLength": 1, "maxLength": 253]),
            write: { .string($0) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a host name or address").text
                if let problem = HostText.problem(text) {
                    throw node.error(
                        "'\(text.shortened)' is not a host name or address", code: "wrong-form", hint: problem)
                }
                return text
            })
    }
}

extension SettingType where Value == Secret {
    /// A text that is never shown. Best given as `${NAME}` or `${file:path}`.
    public static var secret: SettingType<Secret> {
        SettingType(
            name: "secret text",
            schema: .object(["type": ["string", "integer"], "writeOnly": true]),
            isSecret: true, write: { .string($0.reveal()) },
            read: { node throws(ConfigurationError) in Secret(try node.scalar("a text").text) })
    }
}

extension SettingType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of a few words.
    public static var choice: SettingType<Value> {
        let names = Value.allCases.map(\.rawValue)
        return SettingType(
            name: "one of \(names.joined(separator: ", "))",
            schema: .choice(names),
            write: { .string($0.rawValue) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("one of \(names.joined(separator: ", "))").text
                guard let value = Value(rawValue: text) else {
                    throw node.error(
                        "'\(text.shortened)' is not one of \(names.joined(separator: ", "))", code: "unknown-value",
                        hint: NearestName.hint(for: text, among: names))
                }
                return value
            })
    }
}

/// What a host name or address looks like.
enum HostText {
    /// The remedy when `text` is not one; `nil` when it is.
    static func problem(_ text: String) -> String? {
        if text.contains("://") { return "write the host alone, without a scheme" }
        if text.hasPrefix("[") { return "write an IPv6 address without brackets" }
        let colons = text.utf8.count { $0 == 0x3A }
        if colons == 1 { return "write the host alone; the port is a setting of its own" }
        guard (1...253).contains(text.utf8.count) else { return "it has 1…253 characters" }
        if colons > 1 {
            let isAddress = text.utf8.allSatisfy { isHexadecimal($0) || $0 == 0x3A || $0 == 0x2E }
            return isAddress || text.contains("%") ? nil : "an IPv6 address looks like fd00::12"
        }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.allSatisfy({ isLabel($0) }) else {
            return "it is made of letters, digits and hyphens between dots"
        }
        if labels.allSatisfy({ DecimalText.isDigits($0) }) {
            let isAddress = labels.count == 4 && labels.allSatisfy { UInt8($0) != nil }
            return isAddress ? nil : "an IPv4 address has four numbers of 0…255, for example 192.168.1.201"
        }
        return nil
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && label.utf8.first != 0x2D && label.utf8.last != 0x2D
            && label.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D
                    || $0 == 0x5F
            }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}
