internal import CoreMetrics
internal import Synchronization

/// A value that can be shown: what the registry keeps of every series.
protocol Instrument: AnyObject, Sendable {
    var labels: [MetricLabel] { get }
    var samples: [MetricFamily.Sample] { get }
}

/// A number that only grows.
final class CounterInstrument: Instrument, CounterHandler, FloatingPointCounterHandler {
    let labels: [MetricLabel]
    private let value = Mutex(0.0)

    init(_ labels: [MetricLabel]) { self.labels = labels }

    func increment(by amount: Int64) { increment(by: Double(amount)) }

    func increment(by amount: Double) {
        guard amount > 0 else { return }
        value.withLock { $0 += amount }
    }

    func reset() { value.withLock { $0 = 0 } }

    var samples: [MetricFamily.Sample] { [MetricFamily.Sample(value.withLock { $0 }, labels: labels)] }
}

/// A number that goes up and down.
final class GaugeInstrument: Instrument, MeterHandler, RecorderHandler {
    let labels: [MetricLabel]
    private let value = Mutex(0.0)

    init(_ labels: [MetricLabel]) { self.labels = labels }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    var samples: [MetricFamily.Sample] { [MetricFamily.Sample(value.withLock { $0 }, labels: labels)] }
}

/// How values are spread: how many were at most so large, for some sizes.
final class HistogramInstrument: Instrument, TimerHandler, RecorderHandler {
    private struct State {
        var counts: [UInt64]
        var count: UInt64 = 0
        var sum = 0.0
    }

    let labels: [MetricLabel]
    private let bounds: [Double]
    private let state: Mutex<State>

    /// - Parameter bounds: the upper ends of the buckets, growing; the last bucket has none.
    init(_ labels: [MetricLabel], bounds: [Double]) {
        self.labels = labels
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count)))
    }

    /// Timers are shown in seconds.
    func recordNanoseconds(_ duration: Int64) { record(Double(max(duration, 0)) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 }
        state.withLock { state in
            if let bucket { state.counts[bucket] += 1 }
            state.count += 1
            state.sum += value
        }
    }

    var samples: [MetricFamily.Sample] {
        let state = state.withLock { $0 }
        var total: UInt64 = 0
        var samples: [MetricFamily.Sample] = []
        for (bound, count) in zip(bounds, state.counts) {
            total += count
            samples.append(bucket(MetricText.number(bound), total))
        }
        return samples + [
            bucket("+Inf", state.count),
            MetricFamily.Sample(state.sum, labels: labels, suffix: "_sum"),
            MetricFamily.Sample(Double(state.count), labels: labels, suffix: "_count"),
        ]
    }

    private func bucket(_ bound: String, _ count: UInt64) -> MetricFamily.Sample {
        MetricFamily.Sample(Double(count), labels: labels + [MetricLabel("le", bound)], suffix: "_bucket")
    }
}
