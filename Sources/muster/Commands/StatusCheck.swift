internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost

/// The options of `muster status --check`.
struct StatusCheckOptions: ParsableArguments {
    @Flag(
        name: .customLong("check"),
        help: ArgumentHelp(
            "For Nagios, Icinga, Zabbix and their like: one line, and exit codes 0 ok, 1 warning, 2 critical, 3 unknown.",
            discussion:
                "The options below take WARNING,CRITICAL: the numbers from which on it is one. Either may be left "
                + "out."))
    var isWanted = false
    @Option(help: "Devices that do not serve us; 1 if not given.")
    var away: Counts?
    @Option(help: "How long the oldest punch may wait for a sink; 15m,2h if not given.")
    var lag: Lengths?
    @Option(help: "Punches that may wait for a sink.")
    var behind: Counts?
    @Option(name: .customLong("dead-letters"), help: "Punches that a sink refused; 1 if not given.")
    var deadLetters: Counts?
    @Option(name: .customLong("journal-fill"), help: "Per cent of the journal's quota; 80,95 if not given.")
    var fill: Counts?
    @Option(name: .customLong("ignore-condition"), help: "A condition's code that does not matter; can be repeated.")
    var ignored: [String] = []

    struct Counts: ExpressibleByArgument {
        let thresholds: ServiceCheck.Thresholds

        init?(argument: String) {
            guard let read = ServiceCheck.Thresholds.parse(argument, { Double($0) }) else { return nil }
            thresholds = read
        }
    }

    struct Lengths: ExpressibleByArgument {
        let thresholds: ServiceCheck.Thresholds

        init?(argument: String) {
            let read = ServiceCheck.Thresholds.parse(argument) { text in DurationText.parse(text)?.inSeconds }
            guard let read else { return nil }
            thresholds = read
        }
    }

    var limits: ServiceCheck.Limits {
        var limits = ServiceCheck.Limits()
        if let away { limits.away = away.thresholds }
        if let lag { limits.lag = lag.thresholds }
        if let behind { limits.behind = behind.thresholds }
        if let deadLetters { limits.deadLetters = deadLetters.thresholds }
        if let fill { limits.fill = fill.thresholds }
        limits.ignored = Set(ignored)
        return limits
    }
}

/// Finds the facts of a ``ServiceCheck`` and ends with its exit code, whatever happens.
struct StatusCheck {
    let config: ConfigurationOption
    let limits: ServiceCheck.Limits

    /// What the running host may take to answer.
    private static let patience = Duration.seconds(8)

    func run() async throws {
        let check = await evaluate()
        StandardOutput.write(check.line + "\n")
        throw ExitCode(check.level.rawValue)
    }

    private func evaluate() async -> ServiceCheck {
        let loading = ConfigurationOption.loader.load(config.path)
        guard let configuration = loading.configuration else {
            let first = loading.report.diagnostics.first { $0.severity == .error }
            return ServiceCheck(unknown: first?.summary ?? "\(config.path) cannot be read")
        }
        do throws(JournalError) {
            return ServiceCheck(try await facts(configuration), limits)
        } catch {
            return error.kind == .missing
                ? ServiceCheck(ServiceCheck.Facts(isRunning: false), limits) : ServiceCheck(unknown: error.message)
        }
    }

    private func facts(_ configuration: HostConfiguration) async throws(JournalError) -> ServiceCheck.Facts {
        let directory = DataDirectory(path: configuration.dataDirectory)
        let reader = try JournalReader(directory)
        let time = SystemTime()
        let answer = await time.withDeadline(Self.patience) { await ControlClient(directory).isHostRunning() }
        var facts = ServiceCheck.Facts()
        if case .finished(true) = answer { facts.isRunning = true } else { facts.isRunning = false }
        let known = try await reader.statuses()
        facts.devices = configuration.devices.map { Self.device($0, known[$0.id]?.status) }
        let progress = Dictionary(
            try await reader.sinks().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for sink in configuration.sinks {
            let waiting = try await reader.backlog(
                of: sink.name, devices: Set(configuration.devices(of: sink).map(\.id)))
            let lag = waiting.oldest.map { max(0, (time.now() - $0).inSeconds) } ?? 0
            facts.sinks.append(
                ServiceCheck.Facts.Sink(
                    name: sink.name, backlog: waiting.count, lag: lag,
                    deadLetters: progress[sink.name]?.deadLetterCount ?? 0,
                    error: progress[sink.name]?.failingSince == nil ? nil : progress[sink.name]?.lastError))
        }
        if let quota = configuration.journal.quota {
            facts.fill = Double(try await reader.usedByteCount()) / Double(max(quota.bytes, 1)) * 100
        }
        return facts
    }

    /// A device is away when its last attempt failed, or when no attempt is made.
    private static func device(
        _ device: HostConfiguration.Device, _ status: DeviceStatus?
    ) -> ServiceCheck.Facts.Device {
        let isGivenUp = ["blocked", "faulted", "suspended"].contains(status?.state)
        let isFailing = (status?.failuresInARow ?? 0) > 0
        let trouble = isGivenUp || isFailing ? status?.lastError ?? status?.state : nil
        return ServiceCheck.Facts.Device(
            name: device.id.name, isEnabled: device.isEnabled, trouble: trouble,
            conditions: status?.conditions.all ?? [])
    }
}
