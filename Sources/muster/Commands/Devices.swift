internal import ArgumentParser
internal import DeviceKit
internal import MusterHost

struct Devices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "devices", abstract: "Lists the configured devices.")

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            StandardOutput.write(DeviceListing.text(configuration, format.format))
        }
    }
}

enum DeviceListing {
    static func text(_ configuration: HostConfiguration, _ format: OutputFormat) -> String {
        var listing = Listing([
            ("device", .init(title: "DEVICE")), ("name", .init(title: "NAME", mayShrink: true)),
            ("location", .init(title: "LOCATION", mayShrink: true)), ("driver", .init(title: "DRIVER")),
            ("enabled", .init(title: "ENABLED")), ("poll", .init(title: "POLL")),
            ("window", .init(title: "WINDOW")), ("capture", .init(title: "CAPTURE")),
            ("timezone", .init(title: "ZONE")), ("sinks", .init(title: "SINKS", mayShrink: true)),
        ])
        for device in configuration.devices {
            let schedule = device.schedule
            var json = JSONObjectWriter()
            json.member("device", device.id.name)
            json.member("name", device.name)
            json.member("location", device.location)
            json.member("driver", device.driver.manifest.id)
            json.member("enabled", device.isEnabled)
            json.member("poll", schedule.poll.text)
            json.member("window", schedule.window.description)
            json.member("capture", schedule.isCapturing)
            json.member("timezone", device.zone.identifier)
            json.member("sinks", device.sinks.joined(separator: " "))
            listing.add(
                [
                    device.id.name, device.name, device.location ?? "", device.driver.manifest.id,
                    device.isEnabled ? "yes" : "no", schedule.poll.text, schedule.window.description,
                    schedule.isCapturing ? "yes" : "no", device.zone.identifier,
                    device.sinks.joined(separator: " "),
                ], json: json.finish())
        }
        return listing.text(format)
    }
}
