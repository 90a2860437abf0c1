import CoreMetrics
import PrometheusText
import Testing

@Suite("The page of metrics")
struct MetricTextTests {
    @Test("shows help, type and one line for each series")
    func page() {
        let family = MetricFamily(
            "punches_total", .counter, "Punches.",
            samples: [
                .init(3, labels: [MetricLabel("device", "lobby")]), .init(0.5, labels: [MetricLabel("device", "gate")]),
            ])
        #expect(
            MetricText.page([family, MetricFamily("up", .gauge, "Whether it is up.", 1)]) == """
                # HELP punches_total Punches.
                # TYPE punches_total counter
                punches_total{device="lobby"} 3
                punches_total{device="gate"} 0.5
                # HELP up Whether it is up.
                # TYPE up gauge
                up 1

                """)
    }

    /// Prometheus, "Text-based format": label values escape backslash, quote and line feed, help texts no quotes.
    @Test("escapes what the format asks for and nothing else")
    func escaping() {
        let family = MetricFamily(
            "a", .gauge, "A \\ and a \"quote\"\nand more.",
            samples: [.init(1, labels: [MetricLabel("b", "C:\\x \"y\"\n{z}, ä")])])
        #expect(
            MetricText.page([family]) == #"""
                # HELP a A \\ and a "quote"\nand more.
                # TYPE a gauge
                a{b="C:\\x \"y\"\n{z}, ä"} 1

                """#)
    }

    @Test("makes names of anything", arguments: [("a.b-c", "a_b_c"), ("9lives", "_lives"), ("", "_"), ("ä:b", "_:b")])
    func names(text: String, name: String) { #expect(MetricFamily(text, .gauge, "").name == name) }

    @Test(
        "writes numbers that Prometheus reads",
        arguments: [
            (0, "0"), (-1, "-1"), (0.1, "0.1"), (1e20, "1e+20"), (.nan, "NaN"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (1_764_072_000, "1764072000"), (1e-9, "1e-09"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) { #expect(MetricText.number(value) == text) }
}

@Suite("The registry of metrics")
struct PrometheusRegistryTests {
    private func page(_ registry: PrometheusRegistry) -> String { MetricText.page(registry.families) }

    @Test("counters grow and never fall")
    func counters() {
        let registry = PrometheusRegistry(descriptions: ["polls_total": .init(.counter, "Polls.")])
        let counter = Counter(label: "polls_total", dimensions: [("result", "ok")], factory: registry)
        counter.increment(by: 2)
        counter.increment(by: -5)
        Counter(label: "polls_total", dimensions: [("result", "ok")], factory: registry).increment()
        #expect(
            page(registry) == """
                # HELP polls_total Polls.
                # TYPE polls_total counter
                polls_total{result="ok"} 3

                """)
    }

    @Test("gauges show the last value")
    func gauges() {
        let registry = PrometheusRegistry()
        let meter = Meter(label: "depth", factory: registry)
        meter.set(5)
        meter.increment(by: 2)
        meter.decrement(by: 1)
        #expect(page(registry).contains("\ndepth 6\n"))
    }

    @Test("histograms count what is at most so large, with sum and count")
    func histograms() {
        let registry = PrometheusRegistry(descriptions: ["took_seconds": .init(.histogram, "Time.", buckets: [0.1, 1])])
        let timer = Timer(label: "took_seconds", factory: registry)
        for milliseconds in [50, 100, 500, 1_000, 2_500] { timer.recordNanoseconds(milliseconds * 1_000_000) }
        #expect(
            page(registry) == """
                # HELP took_seconds Time.
                # TYPE took_seconds histogram
                took_seconds_bucket{le="0.1"} 2
                took_seconds_bucket{le="1"} 4
                took_seconds_bucket{le="+Inf"} 5
                took_seconds_sum 4.15
                took_seconds_count 5

                """)
    }

    @Test("labels from outside cannot fill the memory: what is too much is counted")
    func bounds() {
        let registry = PrometheusRegistry(limits: .init(families: 2, series: 3))
        for number in 0..<10 {
            Counter(label: "a_total", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        Counter(label: "b_total", factory: registry).increment()
        Counter(label: "c_total", factory: registry).increment()
        #expect(registry.families.map(\.name) == ["a_total", "b_total"])
        #expect(registry.families.first?.samples.count == 3)
        #expect(registry.droppedSeriesCount == 8)
    }

    @Test("a name stands for one kind of metric")
    func kinds() {
        let registry = PrometheusRegistry()
        Counter(label: "a", factory: registry).increment()
        Meter(label: "a", factory: registry).set(7)
        #expect(registry.families.map(\.kind) == [.counter])
        #expect(registry.droppedSeriesCount == 1)
    }

    @Test("a described family is there before its first series")
    func described() {
        let registry = PrometheusRegistry(descriptions: ["a_total": .init(.counter, "As.")])
        #expect(page(registry) == "# HELP a_total As.\n# TYPE a_total counter\n")
        Counter(label: "a_total", factory: registry).destroy()
        #expect(registry.families.map(\.name) == ["a_total"])
    }

    @Test("a series that is destroyed is gone, and its place is free")
    func destruction() {
        let registry = PrometheusRegistry(limits: .init(series: 1))
        Counter(label: "a_total", dimensions: [("n", "1")], factory: registry).destroy()
        Counter(label: "a_total", dimensions: [("n", "2")], factory: registry).increment()
        #expect(registry.families.flatMap(\.samples).map(\.labels) == [[MetricLabel("n", "2")]])
    }
}
