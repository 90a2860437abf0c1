internal import ArgumentParser
internal import DeviceKit
internal import ZKTecoEmulator

struct Emulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emulate", abstract: "Plays a terminal on a port, for trials and tests.",
        subcommands: [EmulateZKTeco.self])
}
