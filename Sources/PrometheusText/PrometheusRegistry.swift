public import CoreMetrics
internal import Synchronization

/// A backend of swift-metrics that keeps every series in memory for a page of metrics.
///
/// Names are used as they are, so a counter is called `…_total` and a timer `…_seconds` by whoever makes it. Everything
/// has a bound: beyond ``Limits`` new series are counted and not kept, so that labels from outside cannot fill the memory.
public final class PrometheusRegistry: MetricsFactory {
    /// What a family is, beyond what swift-metrics knows of it. It is shown from the beginning, even without series.
    public struct Description: Sendable, Hashable {
        public var kind: MetricFamily.Kind
        public var help: String
        /// The upper ends of a histogram's buckets.
        public var buckets: [Double]

        public init(_ kind: MetricFamily.Kind, _ help: String, buckets: [Double] = PrometheusRegistry.usualBuckets) {
            self.kind = kind
            self.help = help
            self.buckets = buckets
        }
    }

    public struct Limits: Sendable, Hashable {
        public var families = 200
        /// Of each family.
        public var series = 2_000

        public init(families: Int = 200, series: Int = 2_000) {
            self.families = families
            self.series = series
        }
    }

    private struct Family {
        let kind: MetricFamily.Kind
        var instruments: [[MetricLabel]: any Instrument] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var droppedCount = 0
    }

    /// Seconds, from a millisecond to five minutes.
    public static let usualBuckets: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
    ]

    private let descriptions: [String: Description]
    private let limits: Limits
    private let state = Mutex(State())

    /// - Parameter descriptions: by name.
    public init(descriptions: [String: Description] = [:], limits: Limits = Limits()) {
        self.descriptions = descriptions
        self.limits = limits
        for (name, description) in descriptions {
            state.withLock { $0.families[name] = Family(kind: description.kind) }
        }
    }

    /// How many series were asked for that found no room, or whose name stands for something else already.
    public var droppedSeriesCount: Int { state.withLock { $0.droppedCount } }

    /// Every family by name, its series in the order of their labels.
    public var families: [MetricFamily] {
        // The values are read outside of the lock: each instrument has its own.
        state.withLock { $0.families }.sorted { $0.key < $1.key }.map { name, family in
            let instruments = family.instruments.values.sorted { Self.order($0.labels, $1.labels) }
            return MetricFamily(
                name, family.kind, descriptions[name]?.help ?? name, samples: instruments.flatMap(\.samples))
        }
    }

    // MARK: swift-metrics

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        instrument(label, dimensions, .counter) { CounterInstrument($0) } ?? NOOPMetricsHandler.instance
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        instrument(label, dimensions, .counter) { CounterInstrument($0) } ?? NOOPMetricsHandler.instance
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        instrument(label, dimensions, .gauge) { GaugeInstrument($0) } ?? NOOPMetricsHandler.instance
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            return instrument(label, dimensions, .gauge) { GaugeInstrument($0) } ?? NOOPMetricsHandler.instance
        }
        return histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramInstrument? {
        let bounds = descriptions[MetricText.name(label)]?.buckets ?? Self.usualBuckets
        return instrument(label, dimensions, .histogram) { HistogramInstrument($0, bounds: bounds) }
    }

    /// The instrument of a series, made at its first use; `nil` where there is no room or the name is taken.
    private func instrument<Kind: Instrument>(
        _ label: String, _ dimensions: [(String, String)], _ kind: MetricFamily.Kind, _ make: ([MetricLabel]) -> Kind
    ) -> Kind? {
        let name = MetricText.name(label)
        let labels = dimensions.map { MetricLabel($0.0, $0.1) }.sorted { $0.name < $1.name }
        return state.withLock { state in
            let known = state.families[name]
            if let known, let instrument = known.instruments[labels] as? Kind { return instrument }
            let hasRoom =
                known.map { $0.kind == kind && $0.instruments[labels] == nil && $0.instruments.count < limits.series }
                ?? (state.families.count < limits.families)
            guard hasRoom else {
                state.droppedCount += 1
                return nil
            }
            let instrument = make(labels)
            state.families[name, default: Family(kind: kind)].instruments[labels] = instrument
            return instrument
        }
    }

    private func destroy(_ handler: AnyObject) {
        guard let instrument = handler as? any Instrument else { return }
        state.withLock { state in
            for (name, family) in state.families where family.instruments[instrument.labels] === instrument {
                state.families[name]?.instruments[instrument.labels] = nil
                if family.instruments.count == 1, descriptions[name] == nil { state.families[name] = nil }
            }
        }
    }

    private static func order(_ left: [MetricLabel], _ right: [MetricLabel]) -> Bool {
        left.map(\.value).lexicographicallyPrecedes(right.map(\.value))
    }
}
