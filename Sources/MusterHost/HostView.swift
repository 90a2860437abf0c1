public import CoreMetrics
public import DeviceKit
public import Journal
public import Logging
public import ServiceLifecycle

/// What other modules bring to a host.
public struct HostExtensions: Sendable {
    /// Where the host counts what happens.
    public var metrics: any MetricsFactory
    /// What is logged; can be changed while the host runs.
    public var logLevel: LogLevelSwitch
    /// Takes secrets out of texts that leave the host.
    public var redactor: Redactor
    /// Parts that run with the host and end with it, such as the HTTP interface.
    public var parts: [@Sendable (HostView) -> any Service]

    public init(
        metrics: any MetricsFactory = NOOPMetricsHandler.instance, logLevel: LogLevelSwitch = LogLevelSwitch(.info),
        redactor: Redactor = Redactor(), parts: [@Sendable (HostView) -> any Service] = []
    ) {
        self.metrics = metrics
        self.logLevel = logLevel
        self.redactor = redactor
        self.parts = parts
    }
}

/// A running host, for those who show it: nothing here changes anything.
public struct HostView: Sendable {
    public let journal: JournalReader
    public let time: any TimeSource
    public let health: HostHealth
    private let services: HostServices
    private let instruments: HostInstruments
    private let current: @Sendable () -> HostConfiguration

    /// - Parameter configuration: the one that holds now.
    init(
        _ services: HostServices, health: HostHealth, instruments: HostInstruments,
        configuration: @escaping @Sendable () -> HostConfiguration
    ) {
        self.services = services
        self.health = health
        self.instruments = instruments
        journal = services.journal.reader
        time = services.time
        current = configuration
    }

    /// The configuration that holds now.
    public var configuration: HostConfiguration { current() }

    /// What happens in the host, from now on.
    public var events: HostEvents { services.events }

    /// What is known of every configured device now.
    public var devices: [DeviceReport] { services.board.reports(of: Set(configuration.devices.map(\.id))) }

    /// Counts everything, now.
    public func census() async throws(JournalError) -> HostCensus {
        let configuration = configuration
        let now = time.now()
        let known = try await journal.statuses()
        let punches = try await journal.lastPunchTimes(until: now)
        let contacts = instruments.lastContacts
        let reports = Dictionary(devices.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
        let devices = configuration.devices.map { device in
            let report = reports[device.id]
            return HostCensus.Device(
                device: device, status: known[device.id]?.status, counters: known[device.id]?.counters ?? .none,
                isConnected: report?.isConnected ?? false, state: report?.state ?? "starting",
                lastContact: contacts[device.id] ?? report?.lastPollAt, lastPunch: punches[device.id])
        }
        let progress = Dictionary(
            try await journal.sinks().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var sinks: [HostCensus.Sink] = []
        for sink in configuration.sinks {
            let waiting = try await journal.backlog(
                of: sink.name, devices: Set(configuration.devices(of: sink).map(\.id)))
            sinks.append(
                HostCensus.Sink(
                    sink: sink, status: progress[sink.name], backlog: waiting.count, oldestWaiting: waiting.oldest))
        }
        return HostCensus(
            takenAt: now, devices: devices, sinks: sinks,
            journal: HostCensus.Journal(
                usedByteCount: try await services.journal.usedByteCount(), quota: configuration.journal.quota,
                waitingCommits: services.commits.waitingCount))
    }
}
