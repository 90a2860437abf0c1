internal import DeviceKit
internal import Journal
internal import MusterHost
internal import PrometheusText

/// The page of `/metrics`. Made anew at most once a second, however many ask.
actor MetricsPage {
    private let view: HostView
    private let registry: PrometheusRegistry
    private let version: String
    private var latest: (text: String, madeAt: Duration)?
    private var making: Task<String?, Never>?

    static let lifetime = Duration.seconds(1)

    init(_ view: HostView, registry: PrometheusRegistry, version: String) {
        self.view = view
        self.registry = registry
        self.version = version
    }

    /// `nil` when the journal cannot be read.
    func text() async -> String? {
        if let latest, view.time.uptime() - latest.madeAt < Self.lifetime { return latest.text }
        if let making { return await making.value }
        let (view, registry, version) = (view, registry, version)
        // Not a child task: others may wait for the same page. It ends with the page.
        let task = Task { await Self.make(view, registry, version) }
        making = task
        let text = await task.value
        making = nil
        if let text { latest = (text, view.time.uptime()) }
        return text
    }

    private static func make(_ view: HostView, _ registry: PrometheusRegistry, _ version: String) async -> String? {
        do throws(JournalError) {
            let census = try await view.census()
            return MetricText.page(
                HostFamilies.families(census, health: view.health.state, version: version) + registry.families
                    + [
                        MetricFamily(
                            "muster_metrics_series_dropped_total", .counter,
                            "Series that were not kept, because there were too many.",
                            Double(registry.droppedSeriesCount))
                    ] + ProcessFamilies.families())
        } catch {
            return nil
        }
    }
}
