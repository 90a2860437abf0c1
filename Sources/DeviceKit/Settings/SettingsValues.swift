/// Values that a ``SettingsSchema`` has read and checked, one for each of its keys.
public struct SettingsValues: Sendable {
    struct Entry: Sendable {
        var value: any Sendable & Hashable
        var setting: any SettingDeclaration
        /// Where the value was written; `nil` for a default.
        var node: ConfigurationNode?

        /// For people, secrets redacted; `nil` for the absence of a value.
        var text: String? {
            node?.holdsSecret == true ? SettingsSchema.redacted : setting.text(of: value)
        }
    }

    private(set) var entries: [String: Entry]
    /// The mapping that the values were read from.
    let section: ConfigurationNode

    /// The value of a setting.
    /// - Throws: only for a setting that is not in the schema: a mistake of the driver.
    public func value<Value>(_ setting: Setting<Value>) throws(ConfigurationError) -> Value {
        guard let value = entries[setting.key]?.value as? Value else {
            throw section.error("the setting '\(setting.key)' is not in the schema", code: "internal")
        }
        return value
    }

    /// The key was written in the file.
    public func isGiven(_ key: String) -> Bool { entries[key]?.node != nil }

    /// These values, with those of `other` that were written in its file in their place. Both are of one schema.
    package func overlaid(with other: SettingsValues?) -> SettingsValues {
        guard let other else { return self }
        var copy = SettingsValues(entries: entries, section: other.section)
        for (key, entry) in other.entries where entry.node != nil { copy.entries[key] = entry }
        return copy
    }

    /// A problem between keys, at the place of one of them.
    public func error(
        _ key: String, _ message: String, code: String = "conflict", hint: String? = nil
    ) -> ConfigurationError {
        let place = entries[key]?.node ?? section
        return ConfigurationError(
            Diagnostic(
                code: code, at: place.mark, path: ConfigurationNode.childPath(section.path, key: key), message,
                hint: hint))
    }

    /// The value as a person would write it, secrets redacted; `nil` for a key without a value.
    public func text(_ key: String) -> String? { entries[key]?.text }

    package func node(_ key: String) -> ConfigurationNode? { entries[key]?.node }
}

extension SettingsValues: Equatable {
    /// Places do not count: a moved line is not a changed device.
    public static func == (left: SettingsValues, right: SettingsValues) -> Bool {
        left.entries.mapValues { AnyHashable($0.value) } == right.entries.mapValues { AnyHashable($0.value) }
    }
}

extension SettingsValues: CustomStringConvertible {
    /// `{address: 192.168.1.201, port: 4370}`; secrets redact themselves.
    public var description: String {
        let pairs = entries.sorted { $0.key < $1.key }.compactMap { key, entry in
            entry.text.map { "\(key): \($0)" }
        }
        return "{\(pairs.joined(separator: ", "))}"
    }
}
