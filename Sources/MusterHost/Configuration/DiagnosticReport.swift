public import DeviceKit

/// Problems of a configuration, put in order for people and for editors.
public struct DiagnosticReport: Sendable, Hashable {
    /// By file (the main one first), line and column.
    public let diagnostics: [Diagnostic]

    /// No more problems than these are kept of one configuration.
    static let maximumCount = 1_000

    /// - Parameter files: in the order in which they were read.
    init(_ diagnostics: [Diagnostic], files: [String]) {
        let masked = Self.maskingSecrets(diagnostics)
        let ranks = Dictionary(zip(files, files.indices), uniquingKeysWith: { first, _ in first })
        func key(_ item: (offset: Int, element: Diagnostic)) -> (Int, Int, Int, Int) {
            let mark = item.element.mark
            return (ranks[mark.file] ?? files.count, mark.line, mark.column, item.offset)
        }
        let sorted = masked.enumerated().sorted { key($0) < key($1) }.map(\.element)
        self.diagnostics = Self.limited(sorted)
    }

    public var errorCount: Int { diagnostics.count { $0.severity == .error } }
    public var warningCount: Int { diagnostics.count { $0.severity == .warning } }
    public var hasErrors: Bool { errorCount > 0 }

    /// Every problem with its source line and caret, then a line that counts them; empty when there is none.
    public var text: String {
        guard !diagnostics.isEmpty else { return "" }
        return diagnostics.map(\.description).joined(separator: "\n") + "\n" + summary
    }

    /// `2 errors, 1 warning`
    public var summary: String {
        func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }
        if warningCount == 0 { return counted(errorCount, "error") }
        return counted(errorCount, "error") + ", " + counted(warningCount, "warning")
    }

    /// A JSON array of ``Diagnostic/json``, one to a line.
    public var json: String {
        let lines = diagnostics.map { "  " + $0.json.text }
        return lines.isEmpty ? "[]" : "[\n\(lines.joined(separator: ",\n"))\n]"
    }

    private static func limited(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
        guard diagnostics.count > maximumCount, let last = diagnostics.last else { return diagnostics }
        // What is left out may contain the only error.
        let note = Diagnostic(
            code: "too-many", at: SourceMark(file: last.mark.file), path: "",
            "\(diagnostics.count - maximumCount) more problems are not shown")
        return diagnostics.prefix(maximumCount) + [note]
    }

    /// A line with a secret in clear may also be shown for another mistake in it.
    private static func maskingSecrets(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
        struct Line: Hashable {
            let file: String
            let line: Int
        }
        var columns: [Line: Int] = [:]
        for diagnostic in diagnostics where diagnostic.code == SettingsSchema.clearSecretCode {
            let line = Line(file: diagnostic.mark.file, line: diagnostic.mark.line)
            columns[line] = min(columns[line] ?? .max, diagnostic.mark.column)
        }
        return diagnostics.map { diagnostic in
            let column = columns[Line(file: diagnostic.mark.file, line: diagnostic.mark.line)]
            return column.map { diagnostic.masked(from: $0) } ?? diagnostic
        }
    }
}
