internal import ArgumentParser
internal import MusterHost

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Validates the configuration and prints every problem.",
        discussion: "Exits with 78 when there is an error. Opens no connection.")

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @OptionGroup var config: ConfigurationOption
    @Option(help: "text for people, json for editors.")
    var format = Format.text

    func run() async throws {
        let loading = ConfigurationOption.loader.load(config.path)
        switch format {
        case .json: StandardOutput.write(loading.report.json + "\n")
        case .text:
            if !loading.report.diagnostics.isEmpty { StandardError.write(loading.report.text + "\n") }
            if let configuration = loading.configuration {
                let (devices, sinks) = (configuration.devices.count, configuration.sinks.count)
                StandardOutput.write(
                    "\(config.path) is valid: \(devices) device\(devices == 1 ? "" : "s"), \(sinks) sink\(sinks == 1 ? "" : "s")\n"
                )
            }
        }
        if loading.report.hasErrors { throw Exit.configuration }
    }
}
