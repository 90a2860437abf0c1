internal import ArgumentParser
internal import Journal
internal import MusterHost

struct LogLevelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log-level", abstract: "Changes what the running host logs, or tells it.",
        discussion: "Until the host ends: the next start takes the configuration's level again.")

    @Argument(help: "trace, debug, info, notice, warning, error or critical; without it the level is only told.")
    var level: LogLevel?
    @OptionGroup var config: ConfigurationOption

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            do throws(ControlClient.Failure) {
                let holding = try await ControlClient(DataDirectory(path: configuration.dataDirectory))
                    .logLevel(level?.rawValue)
                StandardOutput.write(holding + "\n")
            } catch {
                switch error {
                case .noHost: throw Failure(Exit.unavailable, "no host is running on \(configuration.dataDirectory)")
                case .refused(let reason): throw Failure(Exit.unavailable, reason)
                case .lost: throw Failure(Exit.tryAgain, "the host went away before it answered")
                }
            }
        }
    }
}
