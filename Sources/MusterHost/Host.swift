internal import DeviceKit
internal import Journal
public import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// The host: start here to read the program.
///
/// In start order: the journal (which takes the data directory's lock), alerts, sinks, the control socket, devices.
/// They stop in reverse: devices first, so that nothing more comes in; then the sinks, which deliver what they can
/// within their limit.
public struct Host: Sendable {
    public let configuration: HostConfiguration
    public let log: Logger
    private let source: ConfigurationSource?
    private let extensions: HostExtensions
    private let overrun: @Sendable () -> Void

    /// What the whole shutdown may take. What is not delivered by then is delivered after the next start.
    public static let drainLimit = Duration.seconds(10)

    /// - Parameters:
    ///   - source: where the configuration came from: ``run(for:)`` then follows changes of it.
    ///   - extensions: what other modules bring.
    ///   - overrun: the shutdown takes longer than ``drainLimit``; the process should end at once, which loses nothing,
    ///     because everything that was acknowledged is in the journal.
    public init(
        _ configuration: HostConfiguration, source: ConfigurationSource? = nil, log: Logger,
        extensions: HostExtensions = HostExtensions(),
        overrun: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.source = source
        self.log = log
        self.extensions = extensions
        self.overrun = overrun
    }

    /// Runs until SIGTERM, SIGINT, or for `limit`.
    /// - Throws: ``JournalError`` when the data directory belongs to another host, or when the journal can no longer be
    ///   trusted; ``SinkFault`` for a sink whose settings cannot work.
    public func run(for limit: Duration? = nil) async throws {
        DescriptorLimit.raise()
        let failure = FatalFailure()
        let services = try await open(failure)
        let delivery = try DeliveryService(configuration, services: services)
        let fleet = Fleet(configuration.devices, services: services)
        let alerts = try await AlertRunner(configuration, services: services)
        let health = HostHealth()
        let instruments = HostInstruments(extensions.metrics)
        services.events.add(health)
        services.events.add(instruments)
        let live = LiveConfiguration(configuration)
        let view = HostView(services, health: health, instruments: instruments) { live.configuration }
        let drain = DrainWatch(limit: Self.drainLimit, log: log, overrun: overrun)
        let reloader = source.map {
            Reloader(
                live, source: $0, followers: [delivery, fleet, alerts], time: services.time, log: log,
                redactor: extensions.redactor, health: health)
        }
        var parts: [any Service] = extensions.parts.map { $0(view) }
        parts += [
            AlertService(runner: alerts), delivery,
            KeeperService(keeper: JournalKeeper(live: live, services: services)),
            ControlService(
                desk: ControlDesk(
                    live, fleet: fleet, delivery: delivery, alerts: alerts, journal: services.journal,
                    reloader: reloader, logLevel: extensions.logLevel),
                directory: services.journal.directory, log: log),
            FleetService(fleet: fleet),
            HealthService(
                health: health, manager: ServiceManager(), time: services.time, log: log,
                parts: { HostHealth.parts(services.journal, fleet) }, summary: { HostHealth.summary(view.devices) }),
            EndService(failure: failure, limit: limit, time: services.time),
        ]
        if let reloader, let source {
            parts += [
                reloader, HangupService(reloader: reloader),
                ConfigurationWatcher(reloader: reloader, path: source.path, time: services.time, log: log),
            ]
        }
        // Added last and so the first to hear of a shutdown: its time runs from the beginning.
        parts.append(drain)
        logStart()
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: parts.map {
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quietLog))
        defer { drain.standDown() }
        try await group.run()
        if let error = failure.error { throw error }
        log.notice("stopped")
    }

    /// Polls every enabled device once and delivers to the sinks what they have not got.
    public func runOnce() async throws -> [SyncResult] {
        DescriptorLimit.raise()
        let failure = FatalFailure()
        let services = try await open(failure)
        let delivery = try DeliveryService(configuration, services: services)
        let results = try await DeviceSync(services).sync(configuration.devices.filter(\.isEnabled))
        try await delivery.deliverBacklog()
        if let error = failure.error { throw error }
        return results
    }

    /// Polls devices once, in a process of its own. Delivers to no sink: that is the running host's work.
    /// - Throws: ``JournalError`` when another process owns the data directory.
    public func sync(
        _ devices: [HostConfiguration.Device], progress: @escaping @Sendable (PollProgress) -> Void = { _ in }
    ) async throws -> [SyncResult] {
        DescriptorLimit.raise()
        let failure = FatalFailure()
        // Claimed before a device is asked for a session: it might be another host's.
        let lock = try DataDirectoryLock(DataDirectory(path: configuration.dataDirectory))
        let opening = Task {
            await Result { () async throws(JournalError) in
                // No sink is served, so that nobody looks at the board of devices.
                try await open(failure, PunchJournal(lock, readsWhileWriting: false), showing: [])
            }
        }
        let sync = DeviceSync(drivers) { () async throws(JournalError) in try await opening.value.get() }
        let results = try await sync.sync(devices, progress: devices.count == 1 ? progress : nil)
        _ = try await opening.value.get()
        if let error = failure.error { throw error }
        return results
    }

    func open(_ failure: FatalFailure) async throws(JournalError) -> HostServices {
        let journal = try PunchJournal(DataDirectory(path: configuration.dataDirectory))
        return try await open(failure, journal, showing: configuration.devices)
    }

    private var drivers: DriverServices { DriverServices(log: log) }

    private func open(
        _ failure: FatalFailure, _ journal: PunchJournal, showing devices: [HostConfiguration.Device]
    ) async throws(JournalError) -> HostServices {
        let log = log
        return try await HostServices(
            journal: journal, drivers: drivers, devices: devices,
            sites: configuration.sites, metrics: extensions.metrics, redactor: extensions.redactor,
            onFatal: { error in
                log.critical("the journal failed: the host stops", metadata: ["error": "\(error)"])
                failure.set(error)
            })
    }

    private func logStart() {
        log.notice(
            "started",
            metadata: [
                "devices": "\(configuration.devices.count { $0.isEnabled })", "sinks": "\(configuration.sinks.count)",
                "data": "\(configuration.dataDirectory)",
            ])
    }

    /// The lifecycle library's own lines matter to its developers only.
    private var quietLog: Logger {
        var quiet = log
        quiet.logLevel = .error
        return quiet
    }
}
