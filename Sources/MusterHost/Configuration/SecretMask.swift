import DeviceKit

/// Keeps secrets out of the messages of a configuration.
enum SecretMask {
    /// A message about a value that a secret was put into says that it does not fit, and no more: what is wrong with it
    /// would tell of the value. Other messages lose the secret's text where they hold it.
    static func masked(_ diagnostics: [Diagnostic], _ used: [UsedSecret]) -> [Diagnostic] {
        guard !used.isEmpty else { return diagnostics }
        let redactor = Redactor(used.map(\.value))
        let places = Set(used.map { Place(mark: $0.mark, path: $0.path) })
        return diagnostics.map { diagnostic in
            var message = redactor(diagnostic.message)
            if places.contains(Place(mark: diagnostic.mark, path: diagnostic.path)) {
                message = "the secret's value does not fit here (\(diagnostic.code))"
            }
            return Diagnostic(
                diagnostic.severity, code: diagnostic.code, at: diagnostic.mark, path: diagnostic.path, message,
                hint: diagnostic.hint.map { redactor($0) })
        }
    }

    private struct Place: Hashable {
        let mark: SourceMark
        let path: String
    }
}
