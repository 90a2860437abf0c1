extension SettingsSchema {
    /// JSON Schema (draft 2020-12) of the mapping: every key, nothing else.
    public var jsonSchema: JSONNode {
        let documents = settings.map(\.documentation)
        let required = documents.filter(\.isRequired).map(\.key)
        return .object([
            "type": "object",
            "properties": .object(documents.map { JSONNode.Member(key: $0.key, value: $0.schema) }),
            "required": required.isEmpty ? nil : .strings(required),
            "additionalProperties": false,
        ])
    }

    /// A Markdown table of the keys: key, type, default, meaning.
    public var markdownTable: String {
        var lines = ["| Key | Type | Default | Meaning |", "|---|---|---|---|"]
        for row in documentationRows {
            lines.append("| \(row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ")) |")
        }
        return lines.joined(separator: "\n")
    }

    /// The cells of the table, for other renderings.
    public var documentationRows: [[String]] {
        settings.map(\.documentation).map { setting in
            let unit = setting.unit.isEmpty ? "" : ", in \(setting.unit)"
            let absence = setting.isRequired ? "required" : "none"
            let example = setting.example.map { " Example: \($0)." } ?? ""
            return [
                setting.key, setting.typeName + unit, setting.defaultValue.map { $0.yamlText } ?? absence,
                setting.summary + (setting.isRequired || setting.defaultValue == nil ? example : ""),
            ]
        }
    }

    /// Lines of YAML: required keys live with their example, the others commented out with their default.
    /// - Parameters:
    ///   - live: texts of keys that are to be live besides the required ones, as YAML.
    ///   - isShort: leaves out what would be commented out.
    public func sample(indent: Int = 0, live: [String: String] = [:], isShort: Bool = false) -> String {
        let margin = String(repeating: " ", count: indent)
        return settings.map(\.documentation).compactMap { setting in
            let isLive = setting.isRequired || live[setting.key] != nil
            guard isLive || !isShort else { return nil }
            let value =
                live[setting.key]
                ?? (setting.isRequired ? setting.example : setting.defaultValue.map { $0.yamlText } ?? setting.example)
            let assignment = "\(isLive ? "" : "# ")\(setting.key): \(value ?? "")"
            return "\(margin)# \(setting.summary) (\(setting.typeName))\n\(margin)\(assignment)"
        }.joined(separator: "\n")
    }
}

extension JSONNode {
    /// As a person would write it in YAML: JSON, but texts that need no quotes have none.
    public var yamlText: String {
        guard case .string(let text) = self, let first = text.utf8.first else { return self.text() }
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2D, 0x2E, 0x2F, 0x5F, 0x2B].contains(byte)
        }
        let isWord =
            (0x41...0x5A).contains(first) || (0x61...0x7A).contains(first) || (0x30...0x39).contains(first)
            || first == 0x2E || first == 0x2F
        let isOther =
            DecimalText.number(text) != nil
            || ["true", "false", "null", "yes", "no", "on", "off"]
                .contains(text.lowercased())
        return isPlain && isWord && !isOther ? text : self.text()
    }
}
