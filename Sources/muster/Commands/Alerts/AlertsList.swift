internal import Alerts
internal import ArgumentParser
internal import Journal
internal import MusterHost

extension AlertsCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Shows open incidents, the newest last; with --history those that ended, the newest first.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var format: FormatOption
        @Flag(name: .customLong("history"), help: "Incidents that ended.")
        var isHistory = false
        @Flag(name: .customLong("silences"), help: "Silences instead of incidents.")
        var areSilences = false
        @Option(help: "At most so many that ended.")
        var limit = 50

        func validate() throws {
            if !(1...1_000).contains(limit) { throw ValidationError("--limit is 1 to 1000") }
        }

        func run() async throws {
            try await reporting {
                let configuration = try config.load()
                let archive = try await AlertArchive(config.reader(configuration), history: limit)
                if areSilences {
                    StandardOutput.write(SilenceListing(configuration).listing(archive.silences).text(format.format))
                    return
                }
                let incidents = isHistory ? archive.ended : archive.open
                let listing = IncidentListing(configuration).listing(incidents)
                if format.format == .table, incidents.isEmpty {
                    StandardOutput.write(isHistory ? "No incident has ended yet.\n" : "All is well.\n")
                    return
                }
                StandardOutput.write(listing.text(format.format))
            }
        }
    }
}
