internal import ArgumentParser
internal import DeviceKit
internal import Logging
internal import MusterHost

/// `muster device DEVICE VERB`: the device comes first, so that a line is read like a sentence.
struct Device: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device", abstract: "Looks after one device: its people, clock, door, log and more.",
        usage: "muster device DEVICE VERB [options]",
        discussion: """
            \(DeviceVerbs.overview)
            muster device DEVICE VERB --help explains one. What a driver cannot do it says; muster drivers shows what each can.

            Where a host runs on the data directory, it does the work on the session that it has: many terminals serve \
            one connection only. What changes a device asks first; --yes answers.
            """)

    @OptionGroup var config: ConfigurationOption
    @Argument(help: "The device.")
    var device: String
    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("What to do, and its options.", valueName: "verb"))
    var words: [String] = []

    func run() async throws {
        guard !words.isEmpty else { throw CleanExit.helpRequest(DeviceVerbs.self) }
        let verb: any DeviceVerb
        do {
            let command = try DeviceVerbs.parseAsRoot(words)
            guard let found = command as? any DeviceVerb else { throw CleanExit.helpRequest(DeviceVerbs.self) }
            verb = found
        } catch {
            // The verb's own usage and exit code.
            DeviceVerbs.exit(withError: error)
        }
        try await reporting {
            var common = verb.common
            if common.config.isDefault { common.config = config }
            let loaded = try common.config.loadWhole()
            let target = DeviceTarget(
                loaded, device: try loaded.configuration.device(named: device), common: common)
            try await verb.run(on: target)
        }
    }
}

/// What stands after the device.
struct DeviceVerbs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "muster device DEVICE", abstract: "Looks after one device.",
        subcommands: [
            DeviceInfo.self, DeviceOptions.self, DeviceClockVerb.self, DevicePeople.self, DeviceTemplates.self,
            DeviceEnrol.self, DeviceDoor.self, DeviceVoice.self, DeviceMessage.self, DeviceRestart.self,
            DevicePowerOff.self, DeviceOplog.self, DeviceClearOplog.self, DeviceClearLog.self, DeviceAccept.self,
            DeviceResume.self,
        ])

    /// Verbs and what they do, for the help of the command above.
    static var overview: String {
        let verbs = configuration.subcommands.map { verb in
            let name = verb.configuration.commandName ?? ""
            return "  \(name)\(String(repeating: " ", count: max(1, 12 - name.count)))\(verb.configuration.abstract)"
        }
        return verbs.joined(separator: "\n")
    }
}

/// One verb.
protocol DeviceVerb: ParsableCommand {
    var common: DeviceCommonOptions { get }
    func run(on target: DeviceTarget) async throws
}

/// What every verb takes.
struct DeviceCommonOptions: ParsableArguments {
    @OptionGroup var config: ConfigurationOption
    @OptionGroup var log: LogOption
    @OptionGroup var format: FormatOption
    @Flag(name: [.short, .customLong("yes")], help: "Do not ask before something is changed.")
    var isConfirmed = false
}

/// The device of a verb, and the way to it.
struct DeviceTarget: Sendable {
    let configuration: HostConfiguration
    let device: HostConfiguration.Device
    private let log: Logger
    let format: OutputFormat
    private let isConfirmed: Bool

    init(_ loaded: LoadedConfiguration, device: HostConfiguration.Device, common: DeviceCommonOptions) {
        configuration = loaded.configuration
        self.device = device
        log = common.log.process(loaded).logger
        format = common.format.format
        isConfirmed = common.isConfirmed
    }

    /// Lets the device do it.
    /// - Throws: ``Failure`` with a sentence and the exit code of scripts.
    func ask(
        _ command: DeviceCommand, progress: @escaping @Sendable (EnrolmentEvent) async -> Void = { _ in }
    ) async throws -> DeviceAnswer {
        do {
            return try await DeviceOperator(configuration, log: log).perform(
                command, on: device, progress: progress)
        } catch let fault as DeviceFault {
            throw Failure(Failure.code(for: fault), "\(device.id): \(fault.message)")
        } catch let failure as ControlClient.Failure {
            switch failure {
            case .refused(let reason): throw Failure(Exit.unavailable, reason)
            case .lost, .noHost:
                throw Failure(
                    Exit.tryAgain,
                    "the running host went away before it answered: what was asked may have been done, or not")
            }
        }
    }

    /// Asks the person at the terminal, unless `--yes` has answered.
    /// - Parameter question: without the question mark, for example "restart front-door".
    func confirm(_ question: String) throws {
        if isConfirmed { return }
        guard Terminal.isInput, Terminal.isError else {
            throw Failure(Exit.usage, "this would \(question): add --yes to do it without being asked")
        }
        StandardError.write("This will \(PlainText.escaped(question)). Go on? [y/N] ")
        guard let answer = readLine()?.lowercased(), ["y", "yes"].contains(answer) else {
            throw Failure(Exit.usage, "nothing was done")
        }
    }

    /// Says that something was done: a sentence for people, an object for scripts.
    func report(_ sentence: String, note: String? = nil, _ members: KeyValuePairs<String, JSONNode?> = [:]) {
        guard format == .table else {
            var object = JSONNode.object(["device": .string(device.id.name), "success": .bool(true)])
            if let note { object = object.adding("note", .string(note)) }
            for member in members { object = object.adding(member.key, member.value ?? .null) }
            if format == .csv {
                StandardOutput.write(CSV.line(["device", "success", "note"]))
                return StandardOutput.write(CSV.line([device.id.name, "true", note ?? ""]))
            }
            return StandardOutput.write(object.text() + "\n")
        }
        StandardOutput.write(PlainText.escaped(sentence + (note.map { ": \($0)" } ?? "")) + "\n")
    }
}
