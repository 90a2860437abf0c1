/// A piece of configuration that knows where it stands. A tree without a file format: YAML is one way to write it.
public struct ConfigurationNode: Sendable, Hashable {
    public indirect enum Value: Sendable, Hashable {
        /// Nothing was written: `port:`, `~` or `null`.
        case null
        case scalar(Scalar)
        case sequence([ConfigurationNode])
        /// In the order of the file. Keys are unique.
        case mapping([Member])
        /// Could not be read; the problem is reported already, and reading this again reports nothing.
        case invalid
    }

    /// The text of a value; its type is the setting's business.
    public struct Scalar: Sendable, Hashable {
        public let text: String
        public let isQuoted: Bool
        /// What stood in the file when `text` was substituted, for example `${PORT}`.
        public let origin: String?
        /// A secret was put into `text`: it must not be shown, whatever setting it is for.
        public let isSecret: Bool

        public init(_ text: String, isQuoted: Bool = false, origin: String? = nil, isSecret: Bool = false) {
            self.text = text
            self.isQuoted = isQuoted
            self.origin = origin
            self.isSecret = isSecret
        }
    }

    /// A key of a mapping, with where it stands, and its value.
    public struct Member: Sendable, Hashable {
        public let key: String
        public let keyMark: SourceMark
        public let node: ConfigurationNode

        public init(key: String, keyMark: SourceMark, node: ConfigurationNode) {
            self.key = key
            self.keyMark = keyMark
            self.node = node
        }
    }

    public let mark: SourceMark
    /// For example `devices.lobby.sinks[0]`; empty at the root.
    public let path: String
    public let value: Value

    public init(_ value: Value, at mark: SourceMark, path: String) {
        self.value = value
        self.mark = mark
        self.path = path
    }

    public static func childPath(_ path: String, key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    public static func childPath(_ path: String, index: Int) -> String { "\(path)[\(index)]" }

    /// The members of a mapping; none for a mapping that was left empty.
    public func members() throws(ConfigurationError) -> [Member] {
        switch value {
        case .mapping(let members): return members
        case .null: return []
        case .invalid: throw ConfigurationError([])
        case .scalar, .sequence: throw wrongType("keys and values")
        }
    }

    public func elements() throws(ConfigurationError) -> [ConfigurationNode] {
        switch value {
        case .sequence(let nodes): return nodes
        case .null: throw noValue()
        case .invalid: throw ConfigurationError([])
        case .scalar, .mapping: throw wrongType("a list", hint: "write it as [one, two]")
        }
    }

    /// - Parameter expected: what the setting wants, for the message: `a port`.
    public func scalar(_ expected: String) throws(ConfigurationError) -> Scalar {
        switch value {
        case .scalar(let scalar): return scalar
        case .null: throw noValue()
        case .invalid: throw ConfigurationError([])
        case .sequence, .mapping: throw wrongType(expected)
        }
    }
}

extension ConfigurationNode {
    /// Whether a secret was put into this value or into a part of it.
    var holdsSecret: Bool {
        switch value {
        case .null, .invalid: false
        case .scalar(let scalar): scalar.isSecret
        case .sequence(let nodes): nodes.contains { $0.holdsSecret }
        case .mapping(let members): members.contains { $0.node.holdsSecret }
        }
    }

    /// A problem of this value.
    public func error(_ message: String, code: String = "invalid", hint: String? = nil) -> ConfigurationError {
        ConfigurationError(Diagnostic(code: code, at: mark, path: path, message, hint: hint ?? originHint))
    }

    func wrongType(_ expected: String, hint: String? = nil) -> ConfigurationError {
        error("expected \(expected), found \(found)", code: "wrong-type", hint: hint)
    }

    private func noValue() -> ConfigurationError {
        error("has no value", code: "no-value", hint: "give it one, or delete the line to use the default")
    }

    private var originHint: String? {
        guard case .scalar(let scalar) = value, let origin = scalar.origin else { return nil }
        return "the value comes from \(origin)"
    }

    private var found: String {
        switch value {
        case .null, .invalid: "nothing"
        case .sequence: "a list"
        case .mapping: "keys and values"
        case .scalar(let scalar): scalar.text.isEmpty ? "an empty text" : "'\(scalar.text.shortened)'"
        }
    }
}

extension String {
    /// At most 60 characters, for messages.
    package var shortened: String { count <= 60 ? self : "\(prefix(57))…" }
}
