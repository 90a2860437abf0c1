/// The keys that a driver, a sink or a section of the configuration takes: one declaration from which the decoder, its
/// messages, the JSON Schema, the sample and the documentation come.
public struct SettingsSchema: Sendable {
    public let settings: [any SettingDeclaration]

    /// - Precondition: no two settings share a key; that is a mistake of the program, not of a configuration.
    public init(_ settings: any SettingDeclaration...) { self.init(settings) }

    public init(_ settings: [any SettingDeclaration]) {
        precondition(Set(settings.map(\.key)).count == settings.count, "two settings share a key")
        self.settings = settings
    }

    public var keys: [String] { settings.map(\.key) }

    /// Reads a mapping by this schema.
    ///
    /// Reports every problem at once: unknown keys, missing keys, wrong types, values out of range; and warns of secrets
    /// that stand in the file in clear.
    /// - Parameter owner: the place of the key that the mapping belongs to; missing keys are reported there.
    /// - Returns: `nil` when there was an error. Values for keys that were not given are the defaults.
    public func decode(
        _ node: ConfigurationNode, owner: SourceMark? = nil, reportingTo report: inout [Diagnostic]
    ) -> SettingsValues? {
        let members: [ConfigurationNode.Member]
        do throws(ConfigurationError) {
            members = try node.members()
        } catch {
            report += error.diagnostics
            return nil
        }
        let section = owner.map { ConfigurationNode(node.value, at: $0, path: node.path) } ?? node
        return decode(members, of: section, reportingTo: &report)
    }

    /// As ``decode(_:owner:reportingTo:)``, for some members of a mapping whose other keys belong to somebody else.
    package func decode(
        _ members: [ConfigurationNode.Member], of node: ConfigurationNode, otherKeys: [String] = [],
        reportingTo report: inout [Diagnostic]
    ) -> SettingsValues? {
        var problems = unknownKeys(members, of: node, otherKeys: otherKeys)
        let given = Dictionary(members.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        var entries: [String: SettingsValues.Entry] = [:]
        var isWhole = !problems.contains { $0.severity == .error }
        let misspelt = misspeltKeys(members, otherKeys: otherKeys)
        for setting in settings {
            do throws(ConfigurationError) {
                let member = given[setting.key]
                let value = try value(of: setting, member, in: node)
                entries[setting.key] = SettingsValues.Entry(value: value, setting: setting, node: member?.node)
                if setting.isSecret { problems += Self.clearSecrets(member?.node, value, setting) }
            } catch {
                // A misspelt key is one mistake: it is named as unknown, with the key that was meant.
                let isMisspelt = given[setting.key] == nil && misspelt.contains(setting.key)
                problems += isMisspelt ? [] : error.diagnostics
                isWhole = false
            }
        }
        report += problems
        guard isWhole else { return nil }
        return SettingsValues(entries: entries, section: node)
    }

    private func value(
        of setting: any SettingDeclaration, _ member: ConfigurationNode.Member?, in node: ConfigurationNode
    ) throws(ConfigurationError) -> any Sendable & Hashable {
        if let member { return try setting.decode(member.node) }
        if let fallback = setting.fallbackValue { return fallback }
        let example = setting.documentation.example.map { " For example \(setting.key): \($0)" } ?? ""
        throw ConfigurationError(
            Diagnostic(
                code: "missing-key", at: node.mark, path: node.path, "the key '\(setting.key)' is missing",
                hint: "\(setting.documentation.summary)\(example)"))
    }

    /// The keys that unknown ones were meant to be.
    private func misspeltKeys(_ members: [ConfigurationNode.Member], otherKeys: [String]) -> Set<String> {
        let given = Set(members.map(\.key))
        let candidates = (keys + otherKeys).filter { !given.contains($0) }
        let unknown = given.subtracting(keys + otherKeys)
        return Set(unknown.compactMap { NearestName.of($0, among: candidates) })
    }

    private func unknownKeys(
        _ members: [ConfigurationNode.Member], of node: ConfigurationNode, otherKeys: [String]
    ) -> [Diagnostic] {
        let known = Set(keys + otherKeys)
        let unknown = members.filter { !known.contains($0.key) }
        guard !unknown.isEmpty else { return [] }
        let given = Set(members.map(\.key))
        let candidates = (keys + otherKeys).filter { !given.contains($0) }
        let all = known.isEmpty ? "no keys are known here" : "known keys: \(known.sorted().joined(separator: ", "))"
        return unknown.map { member in
            Diagnostic(
                code: "unknown-key", at: member.keyMark, path: member.node.path, "is not a known key",
                hint: NearestName.hint(for: member.key, among: candidates) ?? all)
        }
    }

    private static func clearSecrets(
        _ node: ConfigurationNode?, _ value: any Sendable & Hashable, _ setting: any SettingDeclaration
    ) -> [Diagnostic] {
        // A secret that is the default, such as `password: 0`, is none.
        if let fallback = setting.fallbackValue, AnyHashable(fallback) == AnyHashable(value) { return [] }
        guard let node, case .scalar(let scalar) = node.value, scalar.origin == nil, !scalar.text.isEmpty else {
            return []
        }
        let warning = Diagnostic(
            .warning, code: Self.clearSecretCode, at: node.mark, path: node.path,
            "a secret stands in the file in clear",
            hint: "keep it with muster secret set NAME and write ${secret:NAME}; or write ${NAME} or ${file:path}")
        return [warning.masked(from: node.mark.column)]
    }

    /// What stands in listings in the place of a secret.
    package static let redacted = "<redacted>"

    /// The code of the warning about a secret in clear; lines that hold one are masked in other messages too.
    package static let clearSecretCode = "secret-in-clear"
}

extension SettingsSchema {
    /// Values from plain texts, as if they stood in a file without quotes. For tests and command-line options.
    public func values(_ texts: [String: String] = [:]) throws(ConfigurationError) -> SettingsValues {
        let mark = SourceMark(file: "settings")
        let members = texts.sorted { $0.key < $1.key }.map { key, text in
            ConfigurationNode.Member(
                key: key, keyMark: mark,
                node: ConfigurationNode(.scalar(.init(text, origin: "settings")), at: mark, path: key))
        }
        var report: [Diagnostic] = []
        let values = decode(ConfigurationNode(.mapping(members), at: mark, path: ""), reportingTo: &report)
        guard let values else { throw ConfigurationError(report) }
        return values
    }
}
