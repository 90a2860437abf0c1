internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows what each device is doing and how far each sink has been served.")

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var format: FormatOption
    @OptionGroup var check: StatusCheckOptions

    func run() async throws {
        if check.isWanted { return try await StatusCheck(config: config, limits: check.limits).run() }
        try await reporting {
            let configuration = try await configurationOrHost()
            let reader = try config.reader(configuration)
            let host = await ControlClient(DataDirectory(path: configuration.dataDirectory)).hostState()
            let isRunning = host != nil
            let devices = try await devices(configuration, reader, isRunning: isRunning)
            StandardOutput.write(devices.text(format.format))
            guard format.format == .table else { return }
            let sinks = try await sinks(configuration, reader)
            if !configuration.sinks.isEmpty { StandardOutput.write("\n" + sinks.text(.table)) }
            let open = try await AlertArchive(reader, history: 1).open.count
            if open > 0 {
                StandardOutput.write("\n\(open) \(open == 1 ? "incident is" : "incidents are") open: muster alerts\n")
            }
            let used = Self.size(try await reader.usedByteCount())
            let quota = configuration.journal.quota.map { " of \(Self.size($0.bytes))" } ?? ""
            StandardOutput.write("\n" + Self.text(host) + "The journal takes \(used)\(quota).\n")
        }
    }

    /// The configuration. Where its files are not valid, a running host goes on with what held before, and says so.
    private func configurationOrHost() async throws -> HostConfiguration {
        let loading = ConfigurationOption.loader.load(config.path)
        if loading.configuration == nil, let path = loading.dataDirectory,
            let host = await ControlClient(DataDirectory(path: path)).hostState()
        {
            StandardOutput.write(Self.text(host))
        }
        return try config.load()
    }

    private static func text(_ host: ControlClient.HostState?) -> String {
        guard let host else { return "No host is running on this data directory.\n" }
        guard let reload = host.lastReload else { return "The host is running.\n" }
        let problems = reload.problems.filter { _ in reload.outcome == .refused }
        return "The host is running, with generation \(host.generation) of its configuration.\n"
            + "Last reload, \(reload.at): \(PlainText.escaped(reload.summary))\n"
            + problems.map { "  " + PlainText.escaped(String($0.prefix { $0 != "\n" })) + "\n" }.joined()
    }

    private func devices(
        _ configuration: HostConfiguration, _ reader: JournalReader, isRunning: Bool
    ) async throws -> Listing {
        let known = try await reader.statuses()
        var listing = Listing([
            ("device", .init(title: "DEVICE")), ("state", .init(title: "STATE")),
            ("connected", .init(title: "CONNECTED")), ("serial_number", .init(title: "SERIAL")),
            ("last_poll", .init(title: "LAST POLL")), ("complete_through", .init(title: "COMPLETE THROUGH")),
            ("punches", .init(title: "PUNCHES", isNumber: true)),
            ("duplicates", .init(title: "DUPLICATES", isNumber: true)),
            ("failures", .init(title: "FAILURES", isNumber: true)),
            ("note", .init(title: "NOTE", mayShrink: true)),
        ])
        for device in configuration.devices {
            let entry = known[device.id]
            let row = DeviceRow(device, entry?.status, entry?.counters ?? .none, isRunning: isRunning)
            listing.add(row.cells, json: row.json)
        }
        return listing
    }

    private func sinks(_ configuration: HostConfiguration, _ reader: JournalReader) async throws -> Listing {
        let known = Dictionary(
            try await reader.sinks().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var listing = Listing([
            ("sink", .init(title: "SINK")), ("type", .init(title: "TYPE")),
            ("delivered", .init(title: "DELIVERED", isNumber: true)),
            ("behind", .init(title: "BEHIND", isNumber: true)), ("waiting", .init(title: "WAITING", isNumber: true)),
            ("refused", .init(title: "REFUSED", isNumber: true)), ("note", .init(title: "NOTE", mayShrink: true)),
        ])
        for sink in configuration.sinks {
            let status = known[sink.name]
            let note = status?.failingSince.map { "failing since \($0): \(status?.lastError ?? "")" } ?? ""
            let devices = Set(configuration.devices(of: sink).map(\.id))
            let waiting = try await reader.backlog(of: sink.name, devices: devices)
            var json = JSONObjectWriter()
            json.member("sink", sink.name)
            json.member("type", sink.registration.manifest.id)
            json.member("delivered", status?.deliveredCount ?? 0)
            json.member("behind", waiting.count)
            json.member("oldest_waiting", waiting.oldest?.description)
            json.member("refused", status?.deadLetterCount ?? 0)
            json.member("note", note)
            listing.add(
                [
                    sink.name, sink.registration.manifest.id, String(status?.deliveredCount ?? 0),
                    String(waiting.count), Self.age(waiting.oldest),
                    String(status?.deadLetterCount ?? 0), note,
                ], json: json.finish())
        }
        return listing
    }

    private static func size(_ bytes: Int) -> String { String(format: "%.1f MiB", Double(bytes) / 1_048_576) }

    /// How long the oldest punch has waited.
    private static func age(_ oldest: Instant?) -> String {
        guard let oldest else { return "" }
        let seconds = max(0, (SystemTime().now() - oldest).components.seconds)
        return DurationText.format(.seconds(seconds < 600 ? seconds : seconds / 60 * 60))
    }
}

/// One device of the status listing.
struct DeviceRow {
    let cells: [String]
    let json: RawJSON

    /// - Parameter isRunning: without a host nothing is connected, whatever the journal last heard.
    init(
        _ device: HostConfiguration.Device, _ status: DeviceStatus?, _ counters: DeviceCounters, isRunning: Bool
    ) {
        let state = isRunning ? status?.state ?? "starting" : device.isEnabled ? "stopped" : "disabled"
        let isConnected = isRunning && status?.isConnected == true
        let failures = status?.failuresInARow ?? 0
        let note = status?.conditions.summary ?? (failures > 0 ? status?.lastError : nil)
        let lastPoll = status?.lastPollAt.map { device.zone.localTime(at: $0).description }
        let complete = status?.completeThrough.map { device.zone.localTime(at: $0).description }
        cells = [
            device.id.name, state, isConnected ? "yes" : "no", status?.identity.serialNumber ?? "",
            lastPoll ?? "", complete ?? "", String(counters.journaled), String(counters.duplicates), String(failures),
            note ?? "",
        ]
        var json = JSONObjectWriter()
        json.member("device", device.id.name)
        json.member("name", device.name)
        json.member("state", state)
        json.member("connected", isConnected)
        json.member("serial_number", status?.identity.serialNumber)
        json.member("registration_number", status?.identity.registrationNumber)
        json.member("model", status?.identity.model)
        json.member("firmware", status?.identity.firmware)
        json.member("last_poll", status?.lastPollAt?.description)
        json.member("complete_through", status?.completeThrough?.description)
        json.member("gap_from", status?.gap?.from.description)
        json.member("gap_until", status?.gap?.until.description)
        if let drift = status?.clockDrift { json.member("clock_drift_seconds", drift.components.seconds) }
        json.member("clock_read_at", status?.clockReadAt?.description)
        json.member("clock_set_at", status?.clockSetAt?.description)
        json.member("last_error", status?.lastError)
        json.member("last_error_at", status?.lastErrorAt?.description)
        json.member("failures_in_a_row", failures)
        json.member("realtime_enabled", status?.isRealtimeEnabled ?? true)
        json.member("realtime_disabled_at", status?.realtimeDisabledAt?.description)
        json.member("condition", status?.conditions.summary)
        json.member("conditions", JSONNode.array(status?.conditions.all.map(\.json) ?? []))
        json.member("received", counters.received)
        json.member("journaled", counters.journaled)
        json.member("duplicates", counters.duplicates)
        json.member("rejected", counters.rejected)
        self.json = json.finish()
    }
}
