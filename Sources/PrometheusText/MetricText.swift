/// The text format of Prometheus, version 0.0.4.
public enum MetricText {
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// A page of families, in their order.
    public static func page(_ families: some Sequence<MetricFamily>) -> String {
        var text = ""
        for family in families { append(family, to: &text) }
        return text
    }

    private static func append(_ family: MetricFamily, to text: inout String) {
        text += "# HELP \(family.name) \(escaped(family.help, quotes: false))\n"
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
        for sample in family.samples {
            text += family.name + sample.suffix
            append(sample.labels, to: &text)
            text += " \(number(sample.value))\n"
        }
    }

    private static func append(_ labels: [MetricLabel], to text: inout String) {
        guard !labels.isEmpty else { return }
        let pairs = labels.map { "\(labelName($0.name))=\"\(escaped($0.value, quotes: true))\"" }
        text += "{\(pairs.joined(separator: ","))}"
    }

    /// Backslashes and line breaks, and within labels quotes, are escaped; nothing else may be.
    static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x0A || $0 == 0x22 }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"": result += quotes ? "\\\"" : "\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Whole numbers without a fraction, others as short as they can be read back.
    public static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }

    /// Characters that a name may not have become `_`.
    static func name(_ text: String) -> String { plain(text, isColonAllowed: true) }

    static func labelName(_ text: String) -> String { plain(text, isColonAllowed: false) }

    private static func plain(_ text: String, isColonAllowed: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
            let isDigit = ("0"..."9").contains(scalar)
            let isPlain = isLetter || (isDigit && !result.isEmpty) || (isColonAllowed && scalar == ":")
            result.unicodeScalars.append(isPlain ? scalar : "_")
        }
        return result.isEmpty ? "_" : result
    }
}
