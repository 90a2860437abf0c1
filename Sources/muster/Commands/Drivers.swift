internal import ArgumentParser
internal import DeviceKit
internal import MusterHost

struct Drivers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists drivers, or shows one with its settings.")

    @Argument(help: "The driver to show.")
    var name: String?
    @OptionGroup var format: FormatOption

    func run() async throws {
        try await reporting {
            guard let name else { return StandardOutput.write(list()) }
            if let driver = BuiltIns.drivers[name] {
                StandardOutput.write(DriverDocumentation.text(driver))
            } else if let sink = BuiltIns.sinks[name] {
                StandardOutput.write(DriverDocumentation.text(sink))
            } else {
                let known = BuiltIns.drivers.names.joined(separator: ", ")
                throw Failure(Exit.usage, "there is no driver \(name). Known: \(known)")
            }
        }
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
