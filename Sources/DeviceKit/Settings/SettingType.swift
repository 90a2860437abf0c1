/// How the text of a configuration becomes a value, and how that is told to people and to editors.
///
/// The value is `Hashable` where a ``SettingsSchema`` takes it, not here: each type of a setting would have that looked up when
/// a program starts.
public struct SettingType<Value: Sendable>: Sendable {
    /// With its bounds, for documentation and messages: `whole number 1…65535`.
    public let name: String
    /// JSON Schema of the value as it may stand in a file, `${…}` included.
    public let schema: JSONNode
    /// Values must not be shown.
    public let isSecret: Bool
    /// Reads a node. Every problem of it is in the error.
    public let read: @Sendable (ConfigurationNode) throws(ConfigurationError) -> Value
    /// Writes a value so that `read` gives it back; `nil` for the absence of one.
    public let write: @Sendable (Value) -> JSONNode?

    public init(
        name: String, schema: JSONNode, isSecret: Bool = false, write: @escaping @Sendable (Value) -> JSONNode?,
        read: @escaping @Sendable (ConfigurationNode) throws(ConfigurationError) -> Value
    ) {
        self.name = name
        self.schema = schema
        self.isSecret = isSecret
        self.write = write
        self.read = read
    }

    /// The same, or nothing.
    public var optional: SettingType<Value?> {
        SettingType<Value?>(
            name: name, schema: schema, isSecret: isSecret, write: { [write] value in value.flatMap { write($0) } },
            read: { [read] node throws(ConfigurationError) in try read(node) })
    }

    /// Many of them, in the order of the file.
    public func list(_ count: ClosedRange<Int>) -> SettingType<[Value]> {
        SettingType<[Value]>(
            name: "list of: \(name)",
            schema: .object([
                "type": "array", "items": schema, "minItems": .integer(count.lowerBound),
                "maxItems": .integer(count.upperBound),
            ]),
            isSecret: isSecret, write: { [write] values in .array(values.compactMap { write($0) }) },
            read: { [read] node throws(ConfigurationError) in
                let nodes = try node.elements()
                guard count.contains(nodes.count) else {
                    throw node.error(
                        "has \(nodes.count) entries, \(count.lowerBound)…\(count.upperBound) are allowed",
                        code: "out-of-range")
                }
                var values: [Value] = []
                var problems: [Diagnostic] = []
                var isWhole = true
                for node in nodes {
                    do throws(ConfigurationError) {
                        values.append(try read(node))
                    } catch {
                        problems += error.diagnostics
                        isWhole = false
                    }
                }
                guard isWhole else { throw ConfigurationError(problems) }
                return values
            })
    }
}

extension JSONNode: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(arrayLiteral elements: JSONNode...) { self = .array(elements) }

    /// What an editor must accept besides the value itself: a text that is substituted when the file is loaded.
    static let substitution: JSONNode = .string(Self.substitutionPattern)
    static let substitutionPattern = #"\$\{"#

    /// One of a few words, or a substituted text. A word of digits is a number to most readers of YAML.
    public static func choice(_ names: [String]) -> JSONNode {
        let numbers = names.compactMap { DecimalText.integer($0).map { JSONNode.integer($0) } }
        return .object([
            "anyOf": [
                .object(["enum": .array(names.map { .string($0) } + numbers)]),
                .object(["type": "string", "pattern": substitution]),
            ]
        ])
    }

    /// `pattern` for a text that either has the form or is substituted.
    static func pattern(_ form: String) -> JSONNode { .string("^(?:\(form))$|\(substitutionPattern)") }
}
