internal import DeviceKit
internal import Foundation
internal import MusterHost
internal import Secrets

/// `${secret:name}` from the vault in the data directory.
struct VaultSecrets: SecretSource {
    let vault: SecretVault

    var files: [String] { [vault.path] }

    func value(of name: String) throws(SecretProblem) -> Secret {
        do throws(SecretError) {
            return try vault.value(of: name)
        } catch {
            throw SecretProblem(code: error.code, message: error.message, hint: error.hint)
        }
    }
}

extension SecretVault {
    /// With the credentials that systemd gave to this process, if any.
    static func ofProcess(directory: String) -> SecretVault {
        SecretVault(
            directory: directory, credentialsDirectory: ProcessInfo.processInfo.environment["CREDENTIALS_DIRECTORY"])
    }
}

extension SecretError {
    fileprivate var code: String {
        switch kind {
        case .missing: "missing-secret"
        case .key: "secret-key"
        case .file, .value: "secret-store"
        }
    }
}
