internal import ArgumentParser
internal import DeviceKit
internal import Journal
internal import MusterHost

struct Reload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Lets the running host read its configuration again.",
        discussion: """
            The host checks the files in full and applies what has changed, device by device and sink by sink; a file \
            with an error changes nothing. It does the same by itself when a file changes, and at SIGHUP. Exits with 78 \
            when the configuration is refused, with 69 when no host runs.
            """)

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        try await reporting {
            let directory = try dataDirectory()
            let report: ReloadReport
            do throws(ControlClient.Failure) {
                report = try await ControlClient(directory).reload()
            } catch {
                switch error {
                case .refused(let reason): throw Failure(Exit.unavailable, reason)
                case .noHost: throw Failure(Exit.unavailable, "no host runs on this data directory")
                case .lost: throw Failure(Exit.unavailable, "the host went away before it answered")
                }
            }
            write(report)
            if report.outcome == .refused { throw Exit.configuration }
        }
    }

    /// Also of a file with errors: the host has to say what it thinks of it.
    private func dataDirectory() throws -> DataDirectory {
        let loading = ConfigurationOption.loader.load(config.path)
        if let path = loading.dataDirectory { return DataDirectory(path: path) }
        StandardError.write(loading.report.text + "\n")
        throw Failure(Exit.configuration, "\(config.path) cannot be read: nothing was changed")
    }

    private func write(_ report: ReloadReport) {
        if format.format == .json { return StandardOutput.write(Self.json(report) + "\n") }
        for line in report.problems.flatMap({ $0.split(separator: "\n") }) {
            StandardError.write(PlainText.escaped(String(line)) + "\n")
        }
        var listing = Listing([
            ("kind", .init(title: "KIND")), ("name", .init(title: "NAME")), ("result", .init(title: "RESULT")),
            ("detail", .init(title: "DETAIL", mayShrink: true)),
        ])
        for (kind, items) in [("device", report.devices), ("sink", report.sinks)] {
            for item in items {
                listing.add([kind, item.name, item.result, item.detail], json: Self.json(item, kind: kind))
            }
        }
        let isTable = format.format == .table
        if !isTable || !report.devices.isEmpty || !report.sinks.isEmpty {
            StandardOutput.write(listing.text(format.format))
        }
        guard isTable else { return }
        StandardOutput.write(Self.sentence(report) + "\n")
    }

    private static func sentence(_ report: ReloadReport) -> String {
        switch report.outcome {
        case .unchanged: return "Nothing has changed. Generation \(report.generation) goes on."
        case .refused: return "Nothing was changed. Generation \(report.generation) goes on."
        case .applied:
            var text = "Generation \(report.generation) holds; \(report.untouchedDevices) devices were not touched."
            if !report.adjusted.isEmpty { text += " Changed: \(report.adjusted.joined(separator: ", "))." }
            if !report.needsRestart.isEmpty {
                text += " Only after a restart: \(report.needsRestart.joined(separator: ", "))."
            }
            return text
        }
    }

    /// The keys of scripts: `outcome, generation, cause, at, devices, sinks, untouched_devices, adjusted,
    /// needs_restart, problems`.
    private static func json(_ report: ReloadReport) -> String {
        var json = JSONObjectWriter()
        json.member("outcome", report.outcome.rawValue)
        json.member("generation", report.generation)
        json.member("cause", report.cause.rawValue)
        json.member("at", report.at.description)
        json.member("devices", array(report.devices.map { Self.json($0, kind: "device").text }))
        json.member("sinks", array(report.sinks.map { Self.json($0, kind: "sink").text }))
        json.member("untouched_devices", report.untouchedDevices)
        json.member("adjusted", texts(report.adjusted))
        json.member("needs_restart", texts(report.needsRestart))
        json.member("problems", texts(report.problems))
        return json.finish().text
    }

    private static func json(_ item: ReloadReport.Item, kind: String) -> RawJSON {
        var json = JSONObjectWriter()
        json.member("kind", kind)
        json.member("name", item.name)
        json.member("result", item.result)
        json.member("detail", item.detail)
        return json.finish()
    }

    private static func array(_ values: [String]) -> RawJSON {
        RawJSON(trusted: "[" + values.joined(separator: ",") + "]")
    }

    private static func texts(_ values: [String]) -> RawJSON {
        array(
            values.map { value in
                var bytes: [UInt8] = []
                JSONText.append(value, to: &bytes)
                return String(decoding: bytes, as: UTF8.self)
            })
    }
}
