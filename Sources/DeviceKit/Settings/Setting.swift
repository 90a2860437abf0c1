/// One key of a configuration: its type, what it means, and what holds when it is not given.
///
/// ```swift
/// static let port = Setting.port("port", default: 4370, "TCP port of the terminal.")
/// static let name = Setting.optionalString("name", "What people call it.", example: "Main entrance")
/// ```
public struct Setting<Value: Sendable>: Sendable {
    /// `snake_case`, unique in its schema.
    public let key: String
    /// One sentence for people.
    public let summary: String
    public let type: SettingType<Value>
    /// `nil`: the key must be given.
    public let fallback: Value?
    /// For example `people`; empty where the type says it all.
    public let unit: String
    /// A good value as it stands in a file.
    public let example: String?

    public init(
        _ key: String, _ type: SettingType<Value>, default fallback: Value? = nil, _ summary: String,
        unit: String = "", example: String? = nil
    ) {
        self.key = key
        self.type = type
        self.fallback = fallback
        self.summary = summary
        self.unit = unit
        self.example = example
    }

    /// The same key, which may be left out; its value is then `nil`.
    public var optional: Setting<Value?> {
        Setting<Value?>(key, type.optional, default: .some(nil), summary, unit: unit, example: example)
    }
}

/// A ``Setting`` of any value, as a ``SettingsSchema`` holds it.
public protocol SettingDeclaration: Sendable {
    var key: String { get }
    var documentation: SettingDocumentation { get }
    /// Values must not be shown.
    var isSecret: Bool { get }
    /// What holds when the key is not given; `nil` when it must be given.
    var fallbackValue: (any Sendable & Hashable)? { get }
    /// The value of a node.
    /// - Throws: ``ConfigurationError`` with the place of the node.
    func decode(_ node: ConfigurationNode) throws(ConfigurationError) -> any Sendable & Hashable
    /// The value as a person would write it, secrets redacted; `nil` for the absence of one.
    func text(of value: any Sendable & Hashable) -> String?
}

extension Setting: SettingDeclaration where Value: Hashable {
    public var isSecret: Bool { type.isSecret }

    public var fallbackValue: (any Sendable & Hashable)? { fallback.map { $0 as any Sendable & Hashable } }

    public func decode(_ node: ConfigurationNode) throws(ConfigurationError) -> any Sendable & Hashable {
        try type.read(node)
    }

    public func text(of value: any Sendable & Hashable) -> String? {
        guard let value = value as? Value, let written = type.write(value) else { return nil }
        if type.isSecret { return "<redacted>" }
        if case .string(let text) = written { return text }
        return written.text()
    }

    public var documentation: SettingDocumentation {
        SettingDocumentation(
            key: key, summary: summary, typeName: type.name, unit: unit, isRequired: fallback == nil,
            defaultValue: fallback.flatMap { type.write($0) }, example: example, isSecret: type.isSecret,
            typeSchema: type.schema)
    }
}

/// What people and editors are told of one key.
public struct SettingDocumentation: Sendable, Hashable {
    public let key: String
    public let summary: String
    public let typeName: String
    public let unit: String
    public let isRequired: Bool
    /// `nil` when the key is required, or optional without a default.
    public let defaultValue: JSONNode?
    public let example: String?
    public let isSecret: Bool
    let typeSchema: JSONNode

    /// JSON Schema of the value with its description and default.
    public var schema: JSONNode {
        let unit = unit.isEmpty ? "" : " In \(unit)."
        return typeSchema.adding("description", .string(summary + unit)).adding("default", defaultValue)
    }
}
