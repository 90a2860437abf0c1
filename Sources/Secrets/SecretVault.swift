public import DeviceKit
internal import Foundation

/// The secrets of a data directory, sealed on disk.
///
/// The key is `secrets.key` beside them, made with the first secret, mode 0600; or the systemd credential `muster-key`,
/// which then stands in the place of the file. Whoever can read key and file can read the secrets: the seal protects
/// copies of the file, such as backups that leave the key out, and notices changes to it.
public struct SecretVault: Sendable {
    /// What a listing shows: never the value.
    public struct Listed: Sendable, Hashable {
        public let name: SecretName
        /// RFC 3339.
        public let changed: String
    }

    public static let maximumValueByteCount = 16 << 10
    /// The name of the credential in `LoadCredential=` of a systemd unit.
    public static let credentialName = "muster-key"

    public let path: String
    private let directory: String
    private let keyPath: String
    private let credentialPath: String?

    /// - Parameter credentialsDirectory: `$CREDENTIALS_DIRECTORY`, which systemd sets for a unit with credentials.
    public init(directory: String, credentialsDirectory: String?) {
        self.directory = directory
        path = directory + "/secrets.json"
        keyPath = directory + "/secrets.key"
        credentialPath = credentialsDirectory.map { $0 + "/" + Self.credentialName }
    }

    /// Every secret by name. Needs no key.
    public func list() throws(SecretError) -> [Listed] {
        let entries = try load()?.secrets ?? [:]
        return entries.compactMap { name, entry in SecretName(name).map { Listed(name: $0, changed: entry.changed) } }
            .sorted { $0.name < $1.name }
    }

    /// Keeps a value under a name, in the place of an older one. Returns once it is on stable storage.
    /// - Returns: whether there was an older one.
    @discardableResult
    public func set(_ name: SecretName, to value: Secret, at now: Instant) throws(SecretError) -> Bool {
        let text = value.reveal()
        try Self.check(text, of: name)
        try makeDirectory()
        return try ProtectedFiles.locked(directory + "/secrets.lock") { () throws(SecretError) in
            let known = try load()
            let key = try key(orMake: known?.secrets.isEmpty ?? true)
            var file = try matching(known, key) ?? SecretFile(key: key.identifier)
            guard file.secrets.count < SecretFile.maximumSecretCount || file.secrets[name.text] != nil else {
                throw SecretError(
                    .value, "\(path) holds \(SecretFile.maximumSecretCount) secrets already", hint: "remove some")
            }
            guard let sealed = key.seal(text, context: SecretFile.context(name)) else {
                throw SecretError(.key, "the secret '\(name)' cannot be sealed", hint: "make a new key")
            }
            let isReplaced = file.secrets[name.text] != nil
            file.secrets[name.text] = SecretFile.Entry(changed: now.description, sealed: sealed)
            try save(file)
            return isReplaced
        }
    }

    /// - Throws: ``SecretError/Kind/missing`` when there is none of the name.
    public func remove(_ name: SecretName) throws(SecretError) {
        guard try load()?.secrets[name.text] != nil else { throw missing(name.text, known: try list()) }
        try ProtectedFiles.locked(directory + "/secrets.lock") { () throws(SecretError) in
            guard var file = try load() else { return }
            file.secrets[name.text] = nil
            try save(file)
        }
    }

    /// The value of a secret.
    public func value(of name: String) throws(SecretError) -> Secret {
        let file = try load()
        guard let secret = SecretName(name), let file, let entry = file.secrets[name] else {
            throw missing(name, known: try list())
        }
        let key = try key()
        _ = try matching(file, key)
        guard let text = key.open(entry.sealed, context: SecretFile.context(secret)) else {
            throw SecretError(
                .file, "the secret '\(name)' in \(path) is damaged", hint: "set it again: muster secret set \(name)")
        }
        return Secret(text)
    }

    // MARK: Files

    private static func check(_ text: String, of name: SecretName) throws(SecretError) {
        guard !text.isEmpty else { throw SecretError(.value, "the value of '\(name)' is empty", hint: "give it one") }
        guard text.utf8.count <= maximumValueByteCount else {
            throw SecretError(
                .value, "the value of '\(name)' has more than \(maximumValueByteCount) bytes",
                hint: "keep it in a file of its own and write ${file:path}")
        }
        guard !text.utf8.contains(0) else {
            throw SecretError(.value, "the value of '\(name)' contains a zero byte", hint: "secrets are text")
        }
    }

    private func makeDirectory() throws(SecretError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
        } catch {
            throw SecretError(
                .file, "cannot make the data directory \(directory): \(error.localizedDescription)",
                hint: "make it, or run as a user who may")
        }
    }

    /// `nil` before the first secret.
    private func load() throws(SecretError) -> SecretFile? {
        let contents: ProtectedFiles.Contents
        do throws(ProtectedFiles.Problem) {
            contents = try ProtectedFiles.read(path, limit: SecretFile.maximumByteCount)
        } catch {
            switch error {
            case .missing: return nil
            case .failed(let reason): throw unreadable(path, reason)
            }
        }
        return try SecretFile.decode(contents.bytes, path: path)
    }

    private func save(_ file: SecretFile) throws(SecretError) {
        do throws(ProtectedFiles.Problem) {
            try ProtectedFiles.replace(path, with: file.encoded())
        } catch {
            throw unwritable(path, error)
        }
    }

    // MARK: The key

    /// - Parameter mayMake: there is nothing yet that another key has sealed.
    private func key(orMake mayMake: Bool = false) throws(SecretError) -> SecretKey {
        if let credentialPath, let credential = try credential(credentialPath) { return credential }
        let contents: ProtectedFiles.Contents
        do throws(ProtectedFiles.Problem) {
            contents = try ProtectedFiles.read(keyPath, limit: 1_024)
        } catch {
            switch error {
            case .failed(let reason): throw unreadable(keyPath, reason)
            case .missing: break
            }
            guard mayMake else {
                throw SecretError(
                    .key, "the key of the secrets is missing: \(keyPath)",
                    hint: "bring it back from a backup, or delete \(path) and set the secrets anew; under systemd with "
                        + "LoadCredential=\(Self.credentialName):… only the service itself has the key")
            }
            return try makeKey()
        }
        guard contents.mode & 0o077 == 0 else {
            throw SecretError(
                .key, "the key file \(keyPath) is open to others (mode \(String(contents.mode, radix: 8)))",
                hint: "chmod 600 \(keyPath); if others can have read it, change the secrets as well")
        }
        guard let key = SecretKey(line: contents.bytes) else {
            throw SecretError(
                .key, "the key file \(keyPath) is damaged: it is not 32 bytes in base64",
                hint: "bring it back from a backup")
        }
        return key
    }

    /// systemd keeps credentials from others by itself. `nil` when there is none of the name.
    private func credential(_ path: String) throws(SecretError) -> SecretKey? {
        let contents: ProtectedFiles.Contents
        do throws(ProtectedFiles.Problem) {
            contents = try ProtectedFiles.read(path, limit: 1_024)
        } catch {
            switch error {
            case .missing: return nil
            case .failed(let reason): throw unreadable(path, reason)
            }
        }
        guard let key = SecretKey(line: contents.bytes) else {
            throw SecretError(
                .key, "the credential \(path) is not 32 bytes in base64",
                hint: "make one with: head -c 32 /dev/urandom | base64")
        }
        return key
    }

    private func makeKey() throws(SecretError) -> SecretKey {
        let key = SecretKey()
        do throws(ProtectedFiles.Problem) {
            try ProtectedFiles.replace(keyPath, with: key.line)
        } catch {
            throw unwritable(keyPath, error)
        }
        return key
    }

    /// A file whose secrets are all gone takes any key.
    private func matching(_ file: SecretFile?, _ key: SecretKey) throws(SecretError) -> SecretFile? {
        guard var file else { return nil }
        guard file.key != key.identifier else { return file }
        guard file.secrets.isEmpty else {
            throw SecretError(
                .key, "\(path) was sealed under another key (\(file.key), this one is \(key.identifier))",
                hint: "bring back the right key, or delete \(path) and set the secrets anew")
        }
        file.key = key.identifier
        return file
    }

    // MARK: Errors

    private func missing(_ name: String, known: [Listed]) -> SecretError {
        SecretError(
            .missing, "there is no secret '\(name.shortened)' in \(path)",
            hint: NearestName.hint(for: name, among: known.map(\.name.text)) ?? "muster secret set \(name.shortened)")
    }

    private func unreadable(_ path: String, _ reason: String) -> SecretError {
        SecretError(
            .file, "cannot read \(path): \(reason)", hint: "run as the user of the data directory, or as root")
    }

    private func unwritable(_ path: String, _ problem: ProtectedFiles.Problem) -> SecretError {
        let reason =
            switch problem {
            case .missing: "no such directory"
            case .failed(let reason): reason
            }
        return SecretError(
            .file, "cannot write \(path): \(reason)", hint: "run as the user of the data directory, or as root")
    }
}
