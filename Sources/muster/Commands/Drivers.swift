internal import Alerts
internal import ArgumentParser
internal import DeviceKit
internal import MusterHost

struct Drivers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drivers",
        abstract: "Lists drivers and types of sinks and of channels for alerts, or shows one with its settings.")

    @Argument(help: "The driver or the type of sink or channel to show.")
    var name: String?
    @OptionGroup var format: FormatOption

    func run() async throws {
        try await reporting {
            guard let name else {
                StandardOutput.write(list())
                if format.format == .table { StandardOutput.write("\n" + sinks() + "\n" + channels()) }
                return
            }
            // A sink and a channel may have one name.
            let texts = [
                BuiltIns.drivers[name].map { DriverDocumentation.text($0) },
                BuiltIns.sinks[name].map { DriverDocumentation.text($0) },
                BuiltIns.channels[name].map { DriverDocumentation.text($0) },
            ].compactMap { $0 }
            guard !texts.isEmpty else {
                let names = Set(BuiltIns.drivers.names + BuiltIns.sinks.names + BuiltIns.channels.names)
                let known = names.sorted().joined(separator: ", ")
                throw Failure(Exit.usage, "there is no driver, sink or channel \(name). Known: \(known)")
            }
            StandardOutput.write(texts.joined(separator: "\n"))
        }
    }

    private func sinks() -> String {
        var listing = Listing([("name", .init(title: "SINK")), ("summary", .init(title: "SUMMARY", mayShrink: true))])
        for sink in BuiltIns.sinks.registrations {
            var json = JSONObjectWriter()
            json.member("name", sink.manifest.id)
            json.member("summary", sink.manifest.summary)
            listing.add([sink.manifest.id, sink.manifest.summary], json: json.finish())
        }
        return listing.text(format.format)
    }

    private func channels() -> String {
        var listing = Listing([
            ("name", .init(title: "CHANNEL")), ("summary", .init(title: "SUMMARY", mayShrink: true)),
        ])
        for channel in BuiltIns.channels.registrations {
            var json = JSONObjectWriter()
            json.member("name", channel.manifest.id)
            json.member("summary", channel.manifest.summary)
            listing.add([channel.manifest.id, channel.manifest.summary], json: json.finish())
        }
        return listing.text(format.format)
    }

    private func list() -> String {
        var listing = Listing([
            ("name", .init(title: "DRIVER")), ("version", .init(title: "VERSION")),
            ("intake", .init(title: "INTAKE")), ("capabilities", .init(title: "CAPABILITIES", mayShrink: true)),
            ("summary", .init(title: "SUMMARY", mayShrink: true)),
        ])
        for driver in BuiltIns.drivers.registrations {
            let manifest = driver.manifest
            let intakes = manifest.intakes.map(\.rawValue).sorted().joined(separator: ", ")
            let capabilities = manifest.capabilities.map(\.rawValue).sorted().joined(separator: ", ")
            var json = JSONObjectWriter()
            json.member("name", manifest.id)
            json.member("version", manifest.version)
            json.member("intake", intakes)
            json.member("capabilities", capabilities)
            json.member("summary", manifest.summary)
            listing.add(
                [manifest.id, manifest.version, intakes, capabilities, manifest.summary], json: json.finish())
        }
        return listing.text(format.format)
    }
}
