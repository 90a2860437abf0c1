internal import ArgumentParser

/// Every command states its name: working it out from its type costs each start some milliseconds.
@main
struct Muster: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "muster",
        abstract: "Collects punches from time-and-attendance terminals and never loses one.",
        version: version,
        subcommands: [
            Run.self, Check.self, Init.self, Discover.self, Test.self, Sync.self, Device.self, Devices.self,
            Status.self, Reload.self,
            Punches.self, AlertsCommand.self, DeadLetters.self, Replay.self, Drivers.self, Schema.self, Emulate.self,
            Import.self, SecretCommand.self, TokenCommand.self, LogLevelCommand.self, Console.self,
        ])

    static func main() async {
        // On a second core, where there is one: parsing the arguments takes as long.
        async let prepared: Void = ConfigurationOption.prepare()
        await main(nil)
        await prepared
    }
}
