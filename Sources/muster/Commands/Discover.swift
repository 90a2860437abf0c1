internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost

struct Discover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discover", abstract: "Asks at addresses whether a device is there.",
        discussion: """
            Opens a connection and the driver's own handshake at each address, closes it, and changes nothing. Private \
            networks only, unless --force says otherwise: ask only where you may. Ctrl-C shows what was found until then. \
            --yaml writes devices for the configuration, without those that it has.
            """)

    @Argument(help: "Networks and addresses: 192.168.1.0/24, 192.168.1.10-192.168.1.40, 192.168.1.201.")
    var ranges: [String]
    @OptionGroup var config: ConfigurationOption
    @OptionGroup var format: FormatOption
    @OptionGroup var log: LogOption
    @Option(help: "Only devices of this driver.")
    var driver: String?
    @Option(help: "Another port than the driver's usual one.")
    var port: UInt16?
    @Option(help: "How many addresses to begin with, for example 50/s.")
    var rate = Rate.perSecond(50)
    @Option(help: "How long to wait for a connection or an answer.")
    var timeout = DurationArgument(.seconds(2))
    @Option(help: "How many addresses to ask at the same time, 1 to 256.")
    var concurrency = 64
    @Flag(help: "Write devices for the configuration, instead of a listing.")
    var yaml = false
    @Flag(help: "Ask in networks that are not private, too.")
    var force = false

    func run() async throws {
        try await reporting {
            let addresses = try addresses()
            let known = await known()
            let drivers = DriverServices(log: log.logger)
            let discovery = DeviceDiscovery(try plan(), time: drivers.time) { drivers.context($0, zone: .utc) }
            let total = addresses.count
            let (found, wasInterrupted) = await cancelledBySignals {
                await discovery.run(addresses) { done, device in
                    guard let device, Terminal.isOutput else { return }
                    StandardError.write("\(done) of \(total): \(device.endpoint)\n")
                }
            }
            if yaml {
                StandardOutput.write(Self.yaml(found.filter { known.name(of: $0) == nil }))
            } else {
                StandardOutput.write(Self.listing(found, known).text(format.format))
            }
            if wasInterrupted { StandardError.write("interrupted: not all addresses were asked at\n") }
            if found.isEmpty, format.format == .table, !yaml { StandardError.write("nothing was found\n") }
        }
    }

    private func addresses() throws -> [String] {
        let ranges = try ranges.map { text in
            guard let range = AddressRange(text) else {
                throw Failure(
                    Exit.usage, "\(text) is no network: write it as 192.168.1.0/24 or 192.168.1.10-192.168.1.40")
            }
            guard range.isPrivate || force else {
                throw Failure(Exit.usage, "\(text) is not a private network: add --force if you may ask there")
            }
            return range
        }
        let count = ranges.map(\.count).reduce(0, +)
        guard count <= AddressRange.largestCount else {
            throw Failure(Exit.usage, "\(count) addresses are too many: at most \(AddressRange.largestCount) at once")
        }
        return ranges.flatMap(\.addresses)
    }

    private func plan() throws -> DeviceDiscovery.Plan {
        let able = BuiltIns.drivers.registrations.filter(\.isDiscovering)
        let wanted = driver.map { name in able.filter { $0.manifest.id == name } } ?? able
        guard !wanted.isEmpty else {
            let names = able.map(\.manifest.id).joined(separator: ", ")
            throw Failure(Exit.usage, "the driver \(driver ?? "") finds no devices; these do: \(names)")
        }
        guard rate.perSecond >= 0.1, rate.perSecond <= 1_000 else {
            throw Failure(Exit.usage, "--rate is from 0.1/s to 1000/s")
        }
        guard (1...256).contains(concurrency) else { throw Failure(Exit.usage, "--concurrency is from 1 to 256") }
        guard timeout.duration >= .seconds(1), timeout.duration <= .seconds(60) else {
            throw Failure(Exit.usage, "--timeout is from 1s to 60s")
        }
        var plan = DeviceDiscovery.Plan(drivers: wanted)
        plan.port = port
        plan.timeout = timeout.duration
        plan.perSecond = rate.perSecond
        plan.concurrency = concurrency
        return plan
    }

    /// What is configured already. Without a configuration, or with a faulty one, that is nothing.
    private func known() async -> KnownDevices {
        guard FileManager.default.fileExists(atPath: config.path),
            let configuration = ConfigurationOption.loader.load(config.path).configuration
        else { return KnownDevices() }
        return await KnownDevices(configuration)
    }

    private static func listing(_ found: [DiscoveredDevice], _ known: KnownDevices) -> Listing {
        var listing = Listing([
            ("address", .init(title: "ADDRESS")), ("port", .init(title: "PORT", isNumber: true)),
            ("transport", .init(title: "BY")), ("driver", .init(title: "DRIVER")),
            ("serial_number", .init(title: "SERIAL")), ("model", .init(title: "MODEL", mayShrink: true)),
            ("firmware", .init(title: "FIRMWARE", mayShrink: true)), ("locked", .init(title: "KEY")),
            ("device", .init(title: "CONFIGURED AS")), ("note", .init(title: "NOTE", mayShrink: true)),
        ])
        for device in found {
            let name = known.name(of: device)
            var json = JSONObjectWriter()
            json.member("address", device.endpoint.host)
            json.member("port", Int(device.endpoint.port))
            json.member("transport", device.endpoint.kind.rawValue)
            json.member("driver", device.driver)
            json.member("serial_number", device.identity.serialNumber)
            json.member("model", device.identity.model)
            json.member("firmware", device.identity.firmware)
            json.member("mac", device.identity.macAddress)
            json.member("locked", device.isLocked)
            json.member("device", name)
            json.member("note", device.note)
            listing.add(
                [
                    device.endpoint.host, String(device.endpoint.port), device.endpoint.kind.rawValue, device.driver,
                    device.identity.serialNumber ?? "", device.identity.model ?? "", device.identity.firmware ?? "",
                    device.isLocked ? "wanted" : "", name ?? "", device.note ?? "",
                ], json: json.finish())
        }
        return listing
    }

    /// A section for the configuration, or for an included file.
    static func yaml(_ found: [DiscoveredDevice]) -> String {
        guard !found.isEmpty else { return "devices: {}\n" }
        var names: Set<String> = []
        var text = "devices:\n"
        for device in found {
            var name = name(device)
            while !names.insert(name).inserted { name += "x" }
            text += "  \(name):\n"
            let parts = [
                device.identity.model, device.identity.firmware,
                device.identity.serialNumber.map { "serial \($0)" }, device.note,
            ]
            let known = parts.compactMap { $0 }.joined(separator: ", ")
            if !known.isEmpty { text += "    # \(PlainText.escaped(known))\n" }
            text += "    driver: \(device.driver)\n    settings:\n"
            for (key, value) in device.settings.sorted(by: { $0.key < $1.key }) { text += "      \(key): \(value)\n" }
            guard device.isLocked, let key = device.credentialsKey else { continue }
            let variable = name.uppercased().map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
            text += "      \(key): \"${DEVICE_\(variable)_KEY}\"    # it lets nobody in without\n"
        }
        return text
    }

    /// Of the serial number where it is known, else of the address.
    private static func name(_ device: DiscoveredDevice) -> String {
        let serial = device.identity.serialNumber?.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        if let serial, !serial.isEmpty { return String(serial.prefix(60)) }
        return "device-" + device.endpoint.host.replacing(".", with: "-")
    }
}

/// Devices that the configuration has, by address and by what they have said of themselves.
struct KnownDevices: Sendable {
    private var places: [String: String] = [:]
    private var serials: [String: String] = [:]

    init() {}

    init(_ configuration: HostConfiguration) async {
        for device in configuration.devices {
            let manifest = device.driver.manifest
            guard let address = manifest.addressKey.flatMap({ device.settings.text($0) }) else { continue }
            let port = manifest.portKey.flatMap { device.settings.text($0) } ?? ""
            places["\(address):\(port)"] = device.id.name
        }
        let directory = DataDirectory(path: configuration.dataDirectory)
        guard directory.hasJournal, let statuses = try? await JournalReader(directory).statuses() else { return }
        for device in configuration.devices {
            if let serial = statuses[device.id]?.status?.identity.serialNumber { serials[serial] = device.id.name }
        }
    }

    func name(of device: DiscoveredDevice) -> String? {
        places["\(device.endpoint.host):\(device.endpoint.port)"]
            ?? device.identity.serialNumber.flatMap { serials[$0] }
    }
}
