internal import CoreMetrics
internal import DeviceKit
internal import Journal
internal import Synchronization

/// Counts what happens, for metrics: what the journal does not keep. These begin at zero with each start.
final class HostInstruments: HostObserver {
    private let factory: any MetricsFactory
    private let polls: [Bool: CoreMetrics.Timer]
    private let contacts = Mutex<[DeviceID: Instant]>([:])

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        polls = Dictionary(
            uniqueKeysWithValues: [true, false].map { isSuccess in
                let dimension = ("result", isSuccess ? "ok" : "failed")
                return (isSuccess, Timer(label: MetricName.pollDuration, dimensions: [dimension], factory: factory))
            })
    }

    /// When each device was last heard of since the start.
    var lastContacts: [DeviceID: Instant] { contacts.withLock { $0 } }

    func observe(_ event: HostEvent, at instant: Instant) {
        switch event {
        case .device(let device, let event): observe(event, of: device, at: instant)
        case .sink(let sink, let event): observe(event, of: sink)
        case .journal: break
        }
    }

    private func observe(_ event: DeviceEvent, of device: DeviceID, at instant: Instant) {
        switch event {
        case .connected:
            heard(device, instant)
            count(MetricName.connections, "device", device.name)
        case .wentAway: count(MetricName.disconnections, "device", device.name)
        case .polled(_, let took):
            heard(device, instant)
            polls[true]?.recordNanoseconds(took.nanoseconds)
        case .pollFailed(_, let took): polls[false]?.recordNanoseconds(took.nanoseconds)
        case .journaled(_, let source):
            if source == .capture || source == .push { heard(device, instant) }
        default: break
        }
    }

    private func observe(_ event: SinkEvent, of sink: String) {
        switch event {
        case .deadLettered(let rejections):
            Counter(label: MetricName.deadLettered, dimensions: [("sink", sink)], factory: factory)
                .increment(by: rejections.count)
        case .failing: count(MetricName.sinkFailures, "sink", sink)
        case .recovered, .delivered: break
        }
    }

    private func count(_ label: String, _ key: String, _ value: String) {
        Counter(label: label, dimensions: [(key, value)], factory: factory).increment()
    }

    private func heard(_ device: DeviceID, _ instant: Instant) { contacts.withLock { $0[device] = instant } }
}

/// How long commits take and how many wait, as a device feels it.
final class CommitMeter: Sendable {
    private let timer: CoreMetrics.Timer
    private let waiting = Atomic(0)

    init(_ factory: any MetricsFactory = NOOPMetricsHandler.instance) {
        timer = Timer(label: MetricName.commitDuration, factory: factory)
    }

    /// Commits that have begun and not ended.
    var waitingCount: Int { waiting.load(ordering: .relaxed) }

    func measure<Value: Sendable, Failure: Error>(
        _ time: any TimeSource, _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let start = time.uptime()
        waiting.wrappingAdd(1, ordering: .relaxed)
        defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
        let value = try await body()
        timer.recordNanoseconds((time.uptime() - start).nanoseconds)
        return value
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let parts = components
        let (whole, overflow) = parts.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole + parts.attoseconds / 1_000_000_000
    }
}

/// The names of the metrics that are counted as things happen.
public enum MetricName {
    public static let pollDuration = "muster_poll_duration_seconds"
    public static let connections = "muster_device_connections_total"
    public static let disconnections = "muster_device_disconnections_total"
    public static let deadLettered = "muster_sink_dead_lettered_total"
    public static let sinkFailures = "muster_sink_failures_total"
    public static let commitDuration = "muster_journal_commit_duration_seconds"
}
