internal import Alerts
internal import ArgumentParser
internal import DeviceKit
internal import Logging
internal import MusterHost

extension AlertsCommand {
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test", abstract: "Sends a test message through a channel and tells what became of it.",
            discussion: "Needs no running host. Exits with 75 when it may work later, with 69 when it cannot.")

        @Argument(help: "The channel, as it is called in the configuration.")
        var channel: String
        @OptionGroup var config: ConfigurationOption
        @OptionGroup var log: LogOption

        func run() async throws {
            try await reporting {
                let loaded = try config.loadWhole()
                let configuration = loaded.configuration
                guard let found = configuration.alerts[channel: channel] else {
                    let known = configuration.alerts.effectiveChannels.map(\.plan.name).joined(separator: ", ")
                    throw Failure(Exit.usage, "there is no channel \(channel). Configured: \(known)")
                }
                let start = ContinuousClock.now
                do throws(ChannelFault) {
                    let remark = try await AlertConfiguration.test(
                        found, of: configuration, log: log.process(loaded).logger)
                    let took = (ContinuousClock.now - start).wholeMilliseconds
                    StandardOutput.write("\(channel) took the test message (\(took) ms)\n")
                    if let remark { StandardError.write("warning: \(remark)\n") }
                } catch {
                    throw Failure(
                        error.kind == .permanent ? Exit.unavailable : Exit.tryAgain,
                        "\(channel) did not take the test message: \(loaded.redactor(error.message))")
                }
            }
        }
    }
}
