public import CoreMetrics
public import DeviceKit
public import Journal
public import Logging

/// What the parts of a host share.
public struct HostServices: Sendable {
    public let journal: PunchJournal
    /// What drivers are handed; the host's own parts use the same.
    public let drivers: DriverServices
    /// Who wants to hear what happens is added here before the host runs.
    public let events: HostEvents
    let writer: JournalWriter
    let board: DeviceBoard
    /// How full the journal is.
    let gauge: QuotaGauge
    /// Whose turn it is at sites with a limit.
    let gate: SiteGate
    let commits: CommitMeter
    /// Takes secrets out of what peers send back.
    let redactor: Redactor
    /// What is known of the host's own clock, for devices that are begun anew.
    let clockWatch = SharedClockWatch()

    /// - Parameters:
    ///   - devices: those whose state is shown to sinks.
    ///   - sites: where only so many logs are read at the same time.
    ///   - metrics: where commits are measured.
    ///   - redactor: knows the secrets of the configuration.
    ///   - onFatal: the journal can no longer be trusted; the process must stop.
    public init(
        journal: PunchJournal, drivers: DriverServices, devices: [HostConfiguration.Device] = [],
        sites: [HostConfiguration.Site] = [], metrics: any MetricsFactory = NOOPMetricsHandler.instance,
        redactor: Redactor = Redactor(),
        onFatal: @escaping @Sendable (JournalError) -> Void
    ) async throws(JournalError) {
        self.journal = journal
        self.drivers = drivers
        let time = drivers.time
        gauge = QuotaGauge()
        gate = SiteGate(sites)
        events = HostEvents(time: time)
        commits = CommitMeter(metrics)
        self.redactor = redactor
        writer = JournalWriter(
            journal, time: time, gauge: gauge, events: events, commits: commits, log: drivers.log, onFatal: onFatal)
        board = try await DeviceBoard(devices, journal.reader)
    }

    public var time: any TimeSource { drivers.time }
    public var random: any RandomSource { drivers.random }
    public var log: Logger { drivers.log }

    func logPoll(for device: HostConfiguration.Device) -> LogPoll {
        LogPoll(device: device.id, zone: device.zone, window: device.schedule.window, time: time, writer: writer)
    }
}
