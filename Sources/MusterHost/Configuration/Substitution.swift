import DeviceKit

/// Puts environment variables, the contents of files and secrets in the place of `${…}`.
///
/// Only in texts of values: keys stay as they are, and what is put in is always text, never structure.
struct Substitution {
    static let maximumFileByteCount = 64 << 10
    /// What all substitutions of one configuration may add.
    static let maximumByteCount = 8 << 20

    let environment: [String: String]
    let files: any ConfigurationFiles
    /// Known once the data directory is.
    var secrets: (any SecretSource)?
    private(set) var diagnostics: [Diagnostic] = []
    /// The files of `${file:…}` and of secrets, each once, in the order of the text.
    private(set) var paths: [String] = []
    /// Every secret that was put in, and where.
    private(set) var usedSecrets: [UsedSecret] = []
    private var byteCount = 0

    init(environment: [String: String], files: any ConfigurationFiles) {
        self.environment = environment
        self.files = files
    }

    /// The tree with its texts substituted. Values that could not be are ``ConfigurationNode/Value/invalid`` and
    /// reported.
    /// - Parameter directory: where relative paths of `${file:…}` start.
    mutating func apply(to node: ConfigurationNode, directory: String) -> ConfigurationNode {
        let value: ConfigurationNode.Value
        switch node.value {
        case .null, .invalid: return node
        case .scalar(let scalar):
            guard scalar.text.contains("${") else { return node }
            value = substituted(scalar, node: node, directory: directory)
        case .sequence(let nodes):
            var copies: [ConfigurationNode] = []
            for node in nodes { copies.append(apply(to: node, directory: directory)) }
            value = .sequence(copies)
        case .mapping(let members):
            var copies: [ConfigurationNode.Member] = []
            for member in members {
                let child = apply(to: member.node, directory: directory)
                copies.append(.init(key: member.key, keyMark: member.keyMark, node: child))
            }
            value = .mapping(copies)
        }
        return ConfigurationNode(value, at: node.mark, path: node.path)
    }

    private mutating func substituted(
        _ scalar: ConfigurationNode.Scalar, node: ConfigurationNode, directory: String
    ) -> ConfigurationNode.Value {
        var text = ""
        var isWhole = true
        var isOriginal = true
        var isSecret = false
        for part in SubstitutionPart.parse(scalar.text) {
            if case .literal(let literal) = part {
                text += literal
                continue
            }
            isOriginal = false
            do throws(SubstitutionProblem) {
                let value = try resolve(part, directory: directory)
                if case .secret = part {
                    isSecret = true
                    usedSecrets.append(UsedSecret(mark: node.mark, path: node.path, value: Secret(value)))
                }
                text += value
            } catch {
                isWhole = false
                diagnostics.append(
                    Diagnostic(
                        code: error.code, at: node.mark, path: node.path, error.message, hint: error.hint))
            }
        }
        guard isWhole else { return .invalid }
        return .scalar(
            .init(text, isQuoted: scalar.isQuoted, origin: isOriginal ? nil : scalar.text, isSecret: isSecret))
    }

    private mutating func resolve(_ part: SubstitutionPart, directory: String) throws(SubstitutionProblem) -> String {
        let text: String
        switch part {
        case .literal(let literal): text = literal
        case .variable(let name, let fallback): text = try variable(name, fallback)
        case .file(let path): text = try contents(of: ConfigurationPath.resolve(path, from: directory))
        case .secret(let name): text = try secret(name)
        case .malformed(let problem): throw problem
        }
        byteCount += text.utf8.count
        guard byteCount <= Self.maximumByteCount else {
            throw SubstitutionProblem(
                code: "too-large", message: "substitutions add more than \(Self.maximumByteCount) bytes", hint: nil)
        }
        return text
    }

    private func variable(_ name: String, _ fallback: String?) throws(SubstitutionProblem) -> String {
        let value = environment[name]
        // As in a shell, the default also replaces an empty value.
        if let fallback, value?.isEmpty ?? true { return fallback }
        guard let value else {
            throw SubstitutionProblem(
                code: "missing-variable", message: "the environment variable '\(name)' is not set",
                hint: NearestName.hint(for: name, among: environment.keys.sorted())
                    ?? "set it, or give a default: ${\(name):-value}")
        }
        return value
    }

    private mutating func secret(_ name: String) throws(SubstitutionProblem) -> String {
        guard let secrets else {
            throw SubstitutionProblem(
                code: "no-secrets", message: "${secret:\(name.shortened)} cannot stand here",
                hint: "secrets are kept in the data directory: data: itself must do without")
        }
        for path in secrets.files where !paths.contains(path) { paths.append(path) }
        do throws(SecretProblem) {
            return try secrets.value(of: name).reveal()
        } catch {
            throw SubstitutionProblem(code: error.code, message: error.message, hint: error.hint)
        }
    }

    private mutating func contents(of path: String) throws(SubstitutionProblem) -> String {
        if !paths.contains(path) { paths.append(path) }
        let bytes: [UInt8]
        do throws(FileProblem) {
            bytes = try files.read(path, limit: Self.maximumFileByteCount)
        } catch {
            throw SubstitutionProblem(
                code: "unreadable-file", message: "cannot read the file '\(path)': \(error.reason)", hint: nil)
        }
        guard bytes.count <= Self.maximumFileByteCount else {
            throw SubstitutionProblem(
                code: "too-large", message: "the file '\(path)' has more than \(Self.maximumFileByteCount) bytes",
                hint: nil)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SubstitutionProblem(code: "encoding", message: "the file '\(path)' is not UTF-8 text", hint: nil)
        }
        // Editors end a file with a line break that is no part of a password.
        var end = text.unicodeScalars[...]
        while end.last == "\n" || end.last == "\r" { end = end.dropLast() }
        return String(end)
    }
}

/// Where a secret was put in.
struct UsedSecret: Sendable {
    let mark: SourceMark
    let path: String
    let value: Secret
}

struct SubstitutionProblem: Error, Hashable {
    let code: String
    let message: String
    let hint: String?
}

/// A piece of a text with `${…}` in it.
enum SubstitutionPart: Hashable {
    case literal(String)
    case variable(name: String, fallback: String?)
    case file(path: String)
    case secret(name: String)
    case malformed(SubstitutionProblem)

    /// `$${` is the text `${`; a lone `$` is itself.
    static func parse(_ text: String) -> [SubstitutionPart] {
        var parts: [SubstitutionPart] = []
        var literal = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            literal += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                literal += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                if !literal.isEmpty { parts.append(.literal(literal)) }
                literal = ""
                let body = rest.dropFirst(2)
                guard let end = body.firstIndex(of: "}") else {
                    let problem = SubstitutionProblem(
                        code: "substitution", message: "'${' without '}'",
                        hint: "write $${ for the characters themselves")
                    return parts + [.malformed(problem)]
                }
                parts.append(part(body[..<end]))
                rest = body[body.index(after: end)...]
            } else {
                literal += "$"
                rest = rest.dropFirst()
            }
        }
        literal += rest
        return literal.isEmpty ? parts : parts + [.literal(literal)]
    }

    private static func part(_ body: Substring) -> SubstitutionPart {
        if body.hasPrefix("file:"), body.count > 5 { return .file(path: String(body.dropFirst(5))) }
        if body.hasPrefix("secret:"), body.count > 7 { return .secret(name: String(body.dropFirst(7))) }
        let name = body.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        let rest = body.dropFirst(name.count)
        if let first = name.first, !first.isNumber {
            if rest.isEmpty { return .variable(name: String(name), fallback: nil) }
            if rest.hasPrefix(":-"), !rest.contains("${") {
                return .variable(name: String(name), fallback: String(rest.dropFirst(2)))
            }
        }
        return .malformed(
            SubstitutionProblem(
                code: "substitution", message: "'${\(String(body).shortened)}' is not understood",
                hint:
                    "known are ${NAME}, ${NAME:-default}, ${file:path} and ${secret:name}; write $${ for the characters themselves"
            ))
    }
}
