/// One problem of a configuration, with its place.
public struct Diagnostic: Error, Sendable, Hashable {
    /// An error keeps a configuration from loading; a warning does not.
    public enum Severity: String, Sendable, Hashable { case error, warning }

    public let severity: Severity
    /// A stable name, for example `out-of-range`.
    public let code: String
    public let mark: SourceMark
    /// The key's place in the tree, for example `devices.lobby.settings.port`; empty for the file itself.
    public let path: String
    /// What is wrong, in one clause. Never a secret.
    public let message: String
    /// What to do about it.
    public let hint: String?

    public init(
        _ severity: Severity = .error, code: String, at mark: SourceMark, path: String, _ message: String,
        hint: String? = nil
    ) {
        self.severity = severity
        self.code = code
        self.mark = mark
        self.path = path
        self.message = message
        self.hint = hint
    }

    /// The same problem with its source line hidden from `column` on.
    package func masked(from column: Int) -> Diagnostic {
        Diagnostic(severity, code: code, at: mark.masked(from: column), path: path, message, hint: hint)
    }
}

extension Diagnostic: CustomStringConvertible {
    /// One line, as compilers write it: `office.yaml:14:11: error: devices.lobby.settings.port: 99999 is outside …`.
    public var summary: String {
        "\(mark): \(severity.rawValue): \(path.isEmpty ? "" : "\(path): ")\(message)"
    }

    /// The summary, the source line, a caret and the hint.
    public var description: String {
        var lines = [summary]
        lines += mark.excerpt.map { "    \($0)" }
        if let hint { lines.append("    hint: \(hint)") }
        return lines.joined(separator: "\n")
    }

    /// For editors. The keys are stable: `file, line, column, severity, code, path, message, hint`.
    public var json: RawJSON {
        var writer = JSONObjectWriter()
        writer.member("file", mark.file)
        writer.member("line", mark.line)
        writer.member("column", mark.column)
        writer.member("severity", severity.rawValue)
        writer.member("code", code)
        writer.member("path", path)
        writer.member("message", message)
        writer.member("hint", hint)
        return writer.finish()
    }
}

/// Everything that is wrong with a configuration, at once.
public struct ConfigurationError: Error, Sendable, Hashable {
    public let diagnostics: [Diagnostic]

    public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
    public init(_ diagnostic: Diagnostic) { diagnostics = [diagnostic] }
}

extension ConfigurationError: CustomStringConvertible {
    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
