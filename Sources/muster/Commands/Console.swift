internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import MusterHost

struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console", abstract: "A menu for people: list, test, sync, recent punches.")

    @OptionGroup var config: ConfigurationOption

    private static let menu = """

        1  List devices
        2  Test a device
        3  Sync a device
        4  Sync all devices
        5  Recent punches
        6  Status
        q  Quit

        """

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            while true {
                StandardOutput.write(Self.menu)
                guard let choice = ask("Choose: "), choice != "q" else { return StandardOutput.write("Goodbye.\n") }
                await perform(choice, configuration)
            }
        }
    }

    /// `nil` at the end of the input.
    private func ask(_ question: String) -> String? {
        StandardOutput.write(question)
        return readLine()?.trimmingCharacters(in: .whitespaces)
    }

    /// Each choice is the command of the same name, so that the menu can do nothing that a script cannot.
    private func perform(_ choice: String, _ configuration: HostConfiguration) async {
        let path = ["--config", config.path]
        switch choice {
        case "1": await run(["devices"] + path)
        case "2": await withDevice(configuration) { await run(["test", $0] + path) }
        case "3": await withDevice(configuration) { await run(["sync", $0] + path) }
        case "4": await run(["sync", "--all"] + path)
        case "5": await run(["punches", "--limit", "20"] + path)
        case "6": await run(["status"] + path)
        default: StandardOutput.write("Please type a number from 1 to 6, or q.\n")
        }
    }

    private func withDevice(_ configuration: HostConfiguration, _ body: (String) async -> Void) async {
        for (index, device) in configuration.devices.enumerated() {
            StandardOutput.write("\(index + 1)  \(device.id)  \(PlainText.escaped(device.name))\n")
        }
        guard let answer = ask("Which device: "), !answer.isEmpty else { return }
        if let number = Int(answer), configuration.devices.indices.contains(number - 1) {
            await body(configuration.devices[number - 1].id.name)
        } else {
            await body(answer)
        }
    }

    private func run(_ arguments: [String]) async {
        do {
            var command = try Muster.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let code as ExitCode {
            // The command has said what was wrong.
            StandardOutput.write("(ended with \(code.rawValue))\n")
        } catch {
            StandardOutput.write(Muster.message(for: error) + "\n")
        }
    }
}
