internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import MusterHost

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Collects punches from all devices until it is stopped.",
        discussion: "SIGTERM and SIGINT stop it within 10 seconds; kill -9 loses nothing either.")

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var log: LogOption
    @Option(name: .customLong("for"), help: "Stop after this time, for example 30s.")
    var limit: DurationArgument?
    @Flag(help: "Poll every device once, deliver, and exit.")
    var once = false

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            let host = Host(configuration, log: log.logger) { Foundation.exit(Exit.software.rawValue) }
            if once {
                try SyncOutput(format: .table).write(try await host.runOnce())
            } else {
                try await host.run(for: limit?.duration)
            }
        }
    }
}

/// `30s`, `5m`, `1h30m`.
struct DurationArgument: ExpressibleByArgument, Sendable {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = DurationText.parse(argument) else { return nil }
        self.duration = duration
    }
}
