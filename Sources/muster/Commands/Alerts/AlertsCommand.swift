internal import ArgumentParser

struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "Shows what is wrong and who was told; tests channels; acknowledges and silences.",
        subcommands: [List.self, Channels.self, Test.self, Acknowledge.self, Silence.self, Unsilence.self],
        defaultSubcommand: List.self)
}
