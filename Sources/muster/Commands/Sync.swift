internal import ArgumentParser
internal import DeviceKit
internal import Journal
internal import Logging
internal import MusterHost

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Reads the logs of devices into the journal now.",
        discussion: "Where a host runs on the data directory, it does the work on its own sessions.")

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var log: LogOption
    @OptionGroup var format: FormatOption
    @Argument(help: "The devices to read.")
    var devices: [String] = []
    @Flag(help: "All devices that are enabled.")
    var all = false

    func validate() throws {
        if devices.isEmpty != all { throw ValidationError("name devices, or give --all") }
    }

    func run() async throws {
        // Beside the reading of the configuration.
        async let links: Void = SocketDialer.start()
        try await reporting {
            let loaded = try config.loadWhole()
            let configuration = loaded.configuration
            let log = log.process(loaded).logger
            let wanted =
                all
                ? configuration.devices.filter(\.isEnabled) : try devices.map { try configuration.device(named: $0) }
            let results = try await results(configuration, wanted, log)
            try SyncOutput(format: format.format, isAll: all).write(results)
        }
        await links
    }

    private func results(
        _ configuration: HostConfiguration, _ wanted: [HostConfiguration.Device], _ log: Logger
    ) async throws -> [SyncResult] {
        let directory = DataDirectory(path: configuration.dataDirectory)
        do throws(ControlClient.Failure) {
            return try await ControlClient(directory).sync(wanted.map(\.id))
        } catch {
            if case .refused(let reason) = error { throw Failure(Exit.unavailable, reason) }
        }
        let host = Host(configuration, log: log) {}
        let progress = wanted.count == 1 ? ProgressLine(wanted[0].id.name) : nil
        defer { progress?.clear() }
        return try await host.sync(wanted) { progress?.show($0) }
    }
}

/// What a sync brought, for people and for scripts.
struct SyncOutput {
    let format: OutputFormat
    var isAll = true

    /// Writes the results.
    /// - Throws: the exit code of the first failure.
    func write(_ results: [SyncResult]) throws {
        StandardOutput.write(text(results))
        if let fault = results.lazy.compactMap(\.fault).first { throw Failure.code(for: fault) }
    }

    private func text(_ results: [SyncResult]) -> String {
        if format == .json {
            if isAll { return summary(results).text + "\n" }
            if results.count == 1 { return results[0].json.text + "\n" }
        }
        var listing = Listing([
            ("device", .init(title: "DEVICE")), ("result", .init(title: "RESULT")),
            ("new", .init(title: "NEW", isNumber: true)),
            ("duplicates", .init(title: "DUPLICATES", isNumber: true)),
            ("today", .init(title: "TODAY", isNumber: true)), ("error", .init(title: "ERROR", mayShrink: true)),
        ])
        for result in results {
            listing.add(
                [
                    result.device.name, result.isSuccess ? "ok" : "failed", String(result.synced),
                    String(result.duplicates), String(result.today), result.fault?.message ?? "",
                ], json: result.json)
        }
        return listing.text(format)
    }

    private func summary(_ results: [SyncResult]) -> RawJSON {
        var ids: [UInt8] = [0x5B]
        for (index, result) in results.enumerated() {
            if index > 0 { ids.append(0x2C) }
            JSONText.append(result.device.name, to: &ids)
        }
        ids.append(0x5D)
        let all = "[" + results.map(\.json.text).joined(separator: ",") + "]"
        var json = JSONObjectWriter()
        json.member("success", results.allSatisfy(\.isSuccess))
        json.member("total_devices", results.count)
        json.member("tasks_triggered", results.count)
        json.member("device_ids", RawJSON(trusted: String(decoding: ids, as: UTF8.self)))
        json.member("results", RawJSON(trusted: all))
        return json.finish()
    }
}
