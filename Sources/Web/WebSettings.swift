package import DeviceKit

/// The keys that everything over HTTP takes.
package struct WebSettings: Sendable, Hashable {
    package static let urlKey = "url"
    package static let authority = Setting.path(
        "ca", default: "", "A PEM file of certificate authorities to trust instead of the system's.")
    package static let certificate = Setting.path(
        "certificate", default: "",
        "A PEM file with the certificate that identifies this host to the server (mutual TLS).")
    package static let key = Setting.path("key", default: "", "A PEM file with the private key of the certificate.")
    package static let timeout = Setting.duration(
        "timeout", default: .seconds(20), in: .seconds(1) ... .seconds(600), "What one request may take.")

    package static let all: [any SettingDeclaration] = [authority, certificate, key, timeout]

    package let authorityPath: String
    package let certificatePath: String
    package let keyPath: String
    package let timeout: Duration

    /// Without files of its own.
    package init(timeout: Duration) {
        (authorityPath, certificatePath, keyPath) = ("", "", "")
        self.timeout = timeout
    }

    package init(_ values: SettingsValues) throws(ConfigurationError) {
        authorityPath = try values.value(Self.authority)
        certificatePath = try values.value(Self.certificate)
        keyPath = try values.value(Self.key)
        timeout = try values.value(Self.timeout)
        if certificatePath.isEmpty != keyPath.isEmpty {
            throw values.error(
                certificatePath.isEmpty ? Self.key.key : Self.certificate.key,
                "certificate and key belong together", hint: "give both or neither")
        }
    }

    /// An address that begins with http:// or https://, names a host and has no fragment, without slashes at its end.
    package static func address(_ values: SettingsValues, _ setting: Setting<String>) throws(ConfigurationError)
        -> String
    {
        let text = try values.value(setting)
        guard !holdsUser(text) else {
            let error = values.error(
                setting.key, "the address holds a user or a password", code: "secret-in-address",
                hint: "leave it out of the address: there is a setting of its own")
            throw ConfigurationError(error.diagnostics.map { $0.masked(from: $0.mark.column) })
        }
        guard let address = address(text) else {
            throw values.error(
                setting.key, "'\(text)' is not a web address", code: "wrong-form", hint: "write it as https://host/path"
            )
        }
        return address
    }

    /// The same for an address that must not be shown.
    package static func address(_ values: SettingsValues, _ setting: Setting<Secret>) throws(ConfigurationError)
        -> Secret
    {
        guard let address = address(try values.value(setting).reveal()) else {
            throw values.error(
                setting.key, "is not a web address", code: "wrong-form", hint: "write it as https://host/path")
        }
        return Secret(address)
    }

    /// `https://user:password@host`
    private static func holdsUser(_ text: String) -> Bool {
        guard let rest = ["https://", "http://"].first(where: { text.hasPrefix($0) }).map({ text.dropFirst($0.count) })
        else { return false }
        return rest.prefix { $0 != "/" && $0 != "?" }.contains("@")
    }

    private static func address(_ text: String) -> String? {
        var text = text
        let rest = ["https://", "http://"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
        guard let rest, let first = rest.utf8.first, first != 0x2F,
            !text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F || $0 == "#" })
        else { return nil }
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }
}
