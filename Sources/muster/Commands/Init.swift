internal import Alerts
internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import MusterHost

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Writes a commented starter configuration.",
        discussion: "An existing file is left alone.")

    @OptionGroup var config: ConfigurationOption
    @Flag(help: "Replace an existing file.")
    var force = false

    func run() async throws {
        try await reporting {
            let zone = DeviceTimeZone(identifier: TimeZone.current.identifier) ?? .utc
            let text = StarterConfiguration.text(
                drivers: BuiltIns.drivers, sinks: BuiltIns.sinks, channels: BuiltIns.channels, timeZone: zone,
                start: zone.localTime(at: SystemTime().now()).startOfDay)
            let options: Data.WritingOptions = force ? [.atomic] : [.withoutOverwriting]
            do {
                try Data(text.utf8).write(to: URL(fileURLWithPath: config.path), options: options)
            } catch let error as CocoaError where error.code == .fileWriteFileExists {
                throw Failure(Exit.usage, "\(config.path) exists already: name another with --config, or add --force")
            } catch {
                throw Failure(Exit.ioError, "cannot write \(config.path): \(error.localizedDescription)")
            }
            StandardOutput.write("Wrote \(config.path). Next: muster check, muster run\n")
        }
    }
}
