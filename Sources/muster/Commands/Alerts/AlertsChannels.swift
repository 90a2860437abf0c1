internal import Alerts
internal import ArgumentParser
internal import DeviceKit
internal import Journal
internal import MusterHost

extension AlertsCommand {
    struct Channels: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "channels", abstract: "Shows the channels and how they do.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var format: FormatOption

        func run() async throws {
            try await reporting {
                let configuration = try config.load()
                let archive = try await AlertArchive(config.reader(configuration), history: 1)
                var listing = Listing([
                    ("channel", .init(title: "CHANNEL")), ("type", .init(title: "TYPE")),
                    ("sent", .init(title: "SENT", isNumber: true)),
                    ("waiting", .init(title: "WAITING", isNumber: true)),
                    ("last_sent", .init(title: "LAST SENT")), ("note", .init(title: "NOTE", mayShrink: true)),
                ])
                for channel in configuration.alerts.effectiveChannels {
                    let record = archive.channels[channel.plan.name] ?? ChannelRecord()
                    let note = record.failingSince.map { "failing since \($0): \(record.lastError ?? "")" } ?? ""
                    var json = JSONObjectWriter()
                    json.member("channel", channel.plan.name)
                    json.member("type", channel.registration.manifest.id)
                    json.member("sent", record.sentCount)
                    json.member("waiting", record.waitingCount)
                    json.member("last_sent", record.lastSentAt?.description)
                    json.member("failing_since", record.failingSince?.description)
                    json.member("last_error", record.lastError)
                    listing.add(
                        [
                            channel.plan.name, channel.registration.manifest.id, String(record.sentCount),
                            String(record.waitingCount),
                            record.lastSentAt.map { channel.plan.zone.localTime(at: $0).description } ?? "", note,
                        ], json: json.finish())
                }
                StandardOutput.write(listing.text(format.format))
            }
        }
    }
}
