internal import ArgumentParser
internal import DeviceKit
internal import MusterHost

struct DeviceDoor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "door", abstract: "Shows whether the door stands open, or unlocks it.",
        subcommands: [State.self, Unlock.self], defaultSubcommand: State.self)

    struct State: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "state", abstract: "Shows whether the door stands open.")

        @OptionGroup var common: DeviceCommonOptions

        func run(on target: DeviceTarget) async throws {
            guard case .door(let state) = try await target.ask(.readDoor) else { return }
            target.report(
                state == .unknown ? "the device does not say" : state.rawValue, ["door": .string(state.rawValue)])
        }
    }

    struct Unlock: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "unlock", abstract: "Unlocks the door for some seconds.",
            discussion: "Devices differ in the unit that they are sent: the setting unlock_unit of the driver.")

        @OptionGroup var common: DeviceCommonOptions
        @Option(help: "For how long.")
        var seconds = 3

        func run(on target: DeviceTarget) async throws {
            try target.confirm("unlock the door of \(target.device.id) for \(seconds) s")
            guard case .done(let note) = try await target.ask(.unlockDoor(.seconds(seconds))) else { return }
            target.report("unlocked the door of \(target.device.id)", note: note)
        }
    }
}

struct DeviceVoice: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "voice", abstract: "Plays one of its voices, for example 0 for \"thank you\".")

    @OptionGroup var common: DeviceCommonOptions
    @Argument(help: "The number in the device's list.")
    var number: Int

    func run(on target: DeviceTarget) async throws {
        _ = try await target.ask(.playVoice(number))
        target.report("\(target.device.id) plays voice \(number)")
    }
}

struct DeviceMessage: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "message", abstract: "Shows a text on its display, or clears the display.",
        discussion: "Terminals with a black-and-white display; others ignore it.")

    @OptionGroup var common: DeviceCommonOptions
    @Argument(help: "The text.")
    var text: String?
    @Option(help: "The line, from 0.")
    var line = 0
    @Flag(help: "Clear the display.")
    var clear = false

    func validate() throws {
        if (text == nil) != clear { throw ValidationError("give a text, or --clear") }
    }

    func run(on target: DeviceTarget) async throws {
        guard let text else {
            try target.confirm("clear the display of \(target.device.id)")
            _ = try await target.ask(.clearMessage)
            return target.report("cleared the display of \(target.device.id)")
        }
        try target.confirm("show a text on the display of \(target.device.id)")
        _ = try await target.ask(.showMessage(text, line: line))
        target.report("\(target.device.id) shows the text")
    }
}

struct DeviceRestart: DeviceVerb {
    static let configuration = CommandConfiguration(commandName: "restart", abstract: "Starts the device anew.")

    @OptionGroup var common: DeviceCommonOptions

    func run(on target: DeviceTarget) async throws {
        try target.confirm("restart \(target.device.id)")
        _ = try await target.ask(.restart)
        target.report("\(target.device.id) restarts")
    }
}

struct DevicePowerOff: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "power-off", abstract: "Switches the device off; it is switched on again by hand.")

    @OptionGroup var common: DeviceCommonOptions

    func run(on target: DeviceTarget) async throws {
        try target.confirm("switch \(target.device.id) off, until somebody switches it on by hand")
        _ = try await target.ask(.powerOff)
        target.report("\(target.device.id) switches itself off")
    }
}
