public import ArgumentParser
internal import MusterAPI
public import MusterHost

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Makes tokens for clients of the HTTP interface.", subcommands: [New.self])

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "new", abstract: "Makes a token and prints it, this once.",
            discussion:
                "The token goes to the client; the line below it goes into the configuration, under http: tokens:. "
                + "It holds the digest only, from which the token cannot be told.")

        @Option(help: "Whose token it is.")
        var name: String
        @Option(help: "viewer reads, operator also starts work, admin also changes things.")
        var role = AccessToken.Role.viewer

        func run() async throws {
            try await reporting {
                guard (1...64).contains(name.count), !name.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
                    throw Failure(Exit.usage, "a name has 1 to 64 characters in one line")
                }
                let token = NewToken()
                let quoted = name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                StandardOutput.write(
                    """
                    \(token.text)

                    http:
                      tokens:
                        - {name: "\(quoted)", role: \(role.rawValue), sha256: \(token.digest)}

                    """)
            }
        }
    }
}

extension AccessToken.Role: ExpressibleByArgument {}
