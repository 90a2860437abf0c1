internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import MusterHost
internal import Secrets

/// `muster secret`
struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret", abstract: "Keeps passwords for ${secret:NAME} in the configuration.",
        discussion: """
            They are sealed in the data directory under the key in secrets.key there, or under the systemd credential \
            muster-key. No command shows a secret again. A running host takes a change when it is started anew or \
            reloads its configuration.
            """,
        subcommands: [Set.self, List.self, Remove.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Keeps a secret, in the place of an older one of the name.",
            discussion: "The value comes from standard input, without its last line break, or from a prompt that does "
                + "not show it; never from the command line, where others could read it.")

        @Argument(help: "What the configuration calls it: ${secret:NAME}.")
        var name: String
        @OptionGroup var config: ConfigurationOption

        func run() async throws {
            try await reporting {
                let name = try SecretCommand.name(name)
                let vault = try config.vault()
                let value = try SecretInput.value(of: name)
                try SecretCommand.telling { () throws(SecretError) in
                    let isReplaced = try vault.set(name, to: value, at: SystemTime().now())
                    StandardError.write("\(isReplaced ? "replaced" : "kept") \(name) in \(vault.path)\n")
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the names of the secrets, never their values.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var format: FormatOption

        func run() async throws {
            try await reporting {
                let vault = try config.vault()
                try SecretCommand.telling { () throws(SecretError) in
                    var listing = Listing([("name", .init(title: "NAME")), ("changed", .init(title: "CHANGED"))])
                    for secret in try vault.list() {
                        var json = JSONObjectWriter()
                        json.member("name", secret.name.text)
                        json.member("changed", secret.changed)
                        listing.add([secret.name.text, secret.changed], json: json.finish())
                    }
                    StandardOutput.write(listing.text(format.format))
                }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "remove", abstract: "Forgets a secret.")

        @Argument(help: "Its name.")
        var name: String
        @OptionGroup var config: ConfigurationOption

        func run() async throws {
            try await reporting {
                let name = try SecretCommand.name(name)
                let vault = try config.vault()
                try SecretCommand.telling { () throws(SecretError) in
                    try vault.remove(name)
                    StandardError.write("removed \(name)\n")
                }
            }
        }
    }

    private static func name(_ text: String) throws -> SecretName {
        guard let name = SecretName(text) else {
            throw Failure(
                Exit.usage,
                "'\(text)' cannot name a secret: use 1 to 64 letters, digits, '-', '_' and '.', beginning with a letter "
                    + "or a digit")
        }
        return name
    }

    private static func telling(_ body: () throws(SecretError) -> Void) throws {
        do throws(SecretError) {
            try body()
        } catch {
            let code =
                switch error.kind {
                case .missing, .value: Exit.usage
                case .key: Exit.configuration
                case .file: Exit.ioError
                }
            throw Failure(code, "\(error.message)\n  hint: \(error.hint)")
        }
    }
}

extension ConfigurationOption {
    /// The secrets of the configuration, which need not be valid: a secret may be what it lacks.
    func vault() throws -> SecretVault {
        guard let directory = Self.loader.dataDirectory(path) else {
            throw Failure(Exit.configuration, "\(path) does not tell the data directory: muster check says why")
        }
        return SecretVault.ofProcess(directory: directory)
    }
}
