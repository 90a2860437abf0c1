extension SettingType where Value == Int {
    /// A whole number in decimal digits.
    public static func integer(in range: ClosedRange<Int>) -> SettingType<Int> {
        .number(
            "whole number \(RangeText.of(range))", json: "integer", minimum: .integer(range.lowerBound),
            maximum: .integer(range.upperBound), write: { .integer($0) },
            parse: { DecimalText.integer($0) }, problem: { RangeText.problem($0, range) })
    }
}

extension SettingType where Value == UInt16 {
    /// A TCP or UDP port, 1…65535.
    public static var port: SettingType<UInt16> {
        let integer = SettingType<Int>.integer(in: 1...65_535)
        return SettingType(
            name: "port 1…65535", schema: integer.schema, write: { .integer(Int($0)) },
            read: { node throws(ConfigurationError) in UInt16(clamping: try integer.read(node)) })
    }
}

extension SettingType where Value == Double {
    /// A decimal number with an optional fraction.
    public static func number(in range: ClosedRange<Double>) -> SettingType<Double> {
        .number(
            "number \(DecimalText.text(range.lowerBound))…\(DecimalText.text(range.upperBound))", json: "number",
            minimum: .number(range.lowerBound), maximum: .number(range.upperBound), write: { .number($0) },
            parse: { DecimalText.number($0) },
            problem: { number in
                range.contains(number)
                    ? nil
                    : "\(DecimalText.text(number)) is outside "
                        + "\(DecimalText.text(range.lowerBound))…\(DecimalText.text(range.upperBound))"
            })
    }
}

extension SettingType where Value == Bool {
    /// `true` or `false`. `yes`, `on` and `1` are refused: YAML readers disagree about them.
    public static var bool: SettingType<Bool> {
        SettingType(
            name: "true or false",
            schema: .object(["type": ["boolean", "string"], "pattern": JSONNode.substitution]),
            write: { .bool($0) },
            read: { node throws(ConfigurationError) in
                let scalar = try node.unquotedScalar("true or false")
                switch scalar.text {
                case "true", "True", "TRUE": return true
                case "false", "False", "FALSE": return false
                case "yes", "on", "1", "y", "Yes", "On": throw node.wrongType("true or false", hint: "write true")
                case "no", "off", "0", "n", "No", "Off": throw node.wrongType("true or false", hint: "write false")
                default: throw node.wrongType("true or false")
                }
            })
    }
}

extension SettingType {
    /// A number of any kind: quoted digits are a text, unless they were substituted.
    fileprivate static func number(
        _ name: String, json: JSONNode, minimum: JSONNode, maximum: JSONNode,
        write: @escaping @Sendable (Value) -> JSONNode?, parse: @escaping @Sendable (String) -> Value?,
        problem: @escaping @Sendable (Value) -> String?
    ) -> SettingType<Value> {
        SettingType(
            name: name,
            schema: .object([
                "type": [json, "string"], "minimum": minimum, "maximum": maximum, "pattern": JSONNode.substitution,
            ]),
            write: write,
            read: { node throws(ConfigurationError) in
                let scalar = try node.unquotedScalar("a \(name)")
                guard let number = parse(scalar.text) else { throw node.wrongType("a \(name)") }
                if let problem = problem(number) { throw node.error(problem, code: "out-of-range") }
                return number
            })
    }
}

extension ConfigurationNode {
    /// A scalar that is not a text: quotes make it one, unless it was substituted.
    fileprivate func unquotedScalar(_ expected: String) throws(ConfigurationError) -> Scalar {
        let scalar = try scalar(expected)
        guard !scalar.isQuoted || scalar.origin != nil else {
            throw error(
                "expected \(expected), found the text \"\(scalar.text.shortened)\"", code: "wrong-type",
                hint: "write it without quotes")
        }
        return scalar
    }
}

enum RangeText {
    /// Open ends are left out: `0…`, `…100`.
    static func of(_ range: ClosedRange<Int>) -> String {
        let lower = range.lowerBound == .min ? "" : String(range.lowerBound)
        let upper = range.upperBound == .max ? "" : String(range.upperBound)
        return "\(lower)…\(upper)"
    }

    static func problem(_ number: Int, _ range: ClosedRange<Int>) -> String? {
        range.contains(number) ? nil : "\(number) is outside \(of(range))"
    }
}
