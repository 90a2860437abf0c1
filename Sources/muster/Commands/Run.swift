internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterAPI
internal import MusterHost
internal import Sinks

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Collects punches from all devices until it is stopped.",
        discussion: """
            Changes of its files hold at once, where they are valid: devices and sinks that do not change are not \
            disturbed. SIGHUP and muster reload do the same. SIGTERM and SIGINT stop it within 10 seconds; kill -9 loses \
            nothing either.
            """)

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var log: LogOption
    @Option(name: .customLong("for"), help: "Stop after this time, for example 30s.")
    var limit: DurationArgument?
    @Flag(help: "Poll every device once, deliver, and exit.")
    var once = false
    @Flag(
        inversion: .prefixedNo,
        help: "Print punches as they arrive; by itself when a terminal watches and no sink prints already.")
    var show: Bool?

    func run() async throws {
        try await reporting {
            let loaded = try config.loadWhole()
            let configuration = loaded.configuration
            let log = log.process(loaded)
            let source = ConfigurationSource(config.path, loader: ConfigurationOption.loader)
            let host = Host(configuration, source: source, log: log.logger, extensions: Self.extensions(log)) {
                Foundation.exit(Exit.software.rawValue)
            }
            if once {
                try SyncOutput(format: .table).write(try await host.runOnce())
            } else {
                try await showingArrivals(configuration) { try await host.run(for: limit?.duration) }
            }
        }
    }

    private static func extensions(_ log: ProcessLog) -> HostExtensions {
        let registry = HostFamilies.registry()
        return HostExtensions(
            metrics: registry, logLevel: log.level, redactor: log.redactor,
            parts: [{ HTTPInterface($0, registry: registry, version: Muster.version, log: log.logger) }])
    }

    private func showingArrivals(
        _ configuration: HostConfiguration, _ body: () async throws -> Void
    ) async throws {
        let isPrinted = configuration.sinks.contains { $0.registration.manifest.id == StdoutSink.manifest.id }
        guard show ?? (Terminal.isOutput && !isPrinted) else { return try await body() }
        let directory = DataDirectory(path: configuration.dataDirectory)
        let start = directory.hasJournal ? try? await JournalReader(directory).latestPosition() : nil
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Punches are safe without being seen: a journal that cannot be read shows itself in the host.
            group.addTask { try? await ArrivalView.follow(directory, after: start ?? 0) }
            defer { group.cancelAll() }
            try await body()
        }
    }
}

/// `30s`, `5m`, `1h30m`.
struct DurationArgument: ExpressibleByArgument, Sendable {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let duration = DurationText.parse(argument) else { return nil }
        self.duration = duration
    }
}
