internal import ArgumentParser
internal import DeviceKit
internal import MusterHost

struct DeviceInfo: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Who it is, what it holds, what its clock shows.")

    @OptionGroup var common: DeviceCommonOptions

    func run(on target: DeviceTarget) async throws {
        guard case .information(let information) = try await target.ask(.information) else { return }
        let rows = Self.rows(information)
        if target.format == .json {
            var object = JSONNode.object(["device": .string(target.device.id.name)])
            for row in rows { object = object.adding(row.key, row.value) }
            let options = information.details.options.map {
                JSONNode.Member(key: $0.name, value: .string($0.value))
            }
            return StandardOutput.write(object.adding("options", .object(options)).text(pretty: true) + "\n")
        }
        var listing = Listing([("key", .init(title: "KEY")), ("value", .init(title: "VALUE", mayShrink: true))])
        let all = rows.map { ($0.key, $0.value) } + information.details.options.map { ($0.name, .string($0.value)) }
        for (key, value) in all {
            var json = JSONObjectWriter()
            json.member("key", key)
            json.member("value", value)
            listing.add([key, Self.text(value)], json: json.finish())
        }
        StandardOutput.write(listing.text(target.format))
    }

    private static func rows(_ information: DeviceInformation) -> [JSONNode.Member] {
        let (details, counts, clock) = (information.details, information.counts, information.clock)
        func text(_ value: String?) -> JSONNode? { value.map { .string($0) } }
        func number(_ value: Int?) -> JSONNode? { value.map { .integer($0) } }
        let object = JSONNode.object([
            "serial_number": text(details.identity.serialNumber), "model": text(details.identity.model),
            "platform": text(details.identity.registrationNumber), "firmware": text(details.identity.firmware),
            "mac_address": text(details.identity.macAddress), "address": text(details.networkAddress),
            "netmask": text(details.networkMask), "gateway": text(details.gateway),
            "fingerprint_algorithm": text(details.fingerprintAlgorithm), "face_algorithm": text(details.faceAlgorithm),
            "activity": text(details.activity), "clock": text(clock?.shown.description),
            "clock_drift_seconds": clock.map { .integer(Int($0.drift)) }, "people": number(counts?.people),
            "people_capacity": number(counts?.peopleCapacity), "administrators": number(counts?.administrators),
            "passwords": number(counts?.passwords), "fingerprints": number(counts?.fingerprints),
            "fingerprint_capacity": number(counts?.fingerprintCapacity), "faces": number(counts?.faces),
            "face_capacity": number(counts?.faceCapacity), "records": number(counts?.records),
            "record_capacity": number(counts?.recordCapacity), "operations": number(counts?.operations),
        ])
        guard case .object(let members) = object else { return [] }
        return members
    }

    private static func text(_ value: JSONNode) -> String {
        if case .string(let text) = value { return text }
        return value.text()
    }
}

struct DeviceOptions: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "options", abstract: "Reads settings under the device's own names.",
        discussion: "For example: muster device front-door options LockOn ~OS")

    @OptionGroup var common: DeviceCommonOptions
    @Argument(help: "Names, as the maker documents them.")
    var names: [String]

    func run(on target: DeviceTarget) async throws {
        guard case .options(let options) = try await target.ask(.options(names)) else { return }
        var listing = Listing([("name", .init(title: "NAME")), ("value", .init(title: "VALUE", mayShrink: true))])
        for option in options {
            var json = JSONObjectWriter()
            json.member("name", option.name)
            json.member("value", option.value)
            listing.add([option.name, option.value], json: json.finish())
        }
        StandardOutput.write(listing.text(target.format))
        let known = Set(options.map(\.name))
        let missing = names.filter { !known.contains($0) }
        if !missing.isEmpty {
            throw Failure(Exit.usage, "the device knows no \(missing.joined(separator: ", "))")
        }
    }
}

struct DeviceClockVerb: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "clock", abstract: "Shows its clock, or sets it.",
        discussion: "Times as in muster punches; now is the host's time in the device's zone.")

    @OptionGroup var common: DeviceCommonOptions
    @Option(parsing: .unconditional, help: "now, or the time that the clock shall show.")
    var set: String?

    func run(on target: DeviceTarget) async throws {
        let command = try command(target)
        if case .setClock(let time) = command {
            try target.confirm("set the clock of \(target.device.id) to \(time?.description ?? "the host's time")")
        }
        guard case .clock(let reading) = try await target.ask(command) else { return }
        let drift = reading.drift
        let text = drift == 0 ? "right" : "\(abs(drift)) s \(drift > 0 ? "ahead" : "behind")"
        target.report(
            "\(reading.shown) in \(target.device.zone), \(text)",
            [
                "clock": .string(reading.shown.description), "timezone": .string(target.device.zone.identifier),
                "drift_seconds": .integer(Int(drift)),
            ])
    }

    private func command(_ target: DeviceTarget) throws -> DeviceCommand {
        guard let set else { return .readClock }
        if set == "now" { return .setClock(nil) }
        guard let time = TimeArgument(argument: set) else {
            throw Failure(Exit.usage, "'\(set)' is no time: write now, or for example \"2026-11-24 08:00\"")
        }
        let zone = target.device.zone
        return .setClock(zone.localTime(at: time.instant(in: zone, now: SystemTime().now())))
    }
}
