/// All series of one name, as a page of metrics shows them.
public struct MetricFamily: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case counter, gauge, histogram }

    /// One series with its value of this moment.
    public struct Sample: Sendable, Hashable {
        /// What follows the family's name: empty, or `_bucket`, `_sum`, `_count` of a histogram.
        public var suffix: String
        public var labels: [MetricLabel]
        public var value: Double

        public init(_ value: Double, labels: [MetricLabel] = [], suffix: String = "") {
            self.value = value
            self.labels = labels
            self.suffix = suffix
        }
    }

    /// Letters, digits, `_` and `:`, not beginning with a digit. Other characters become `_`.
    public let name: String
    /// One sentence for people.
    public var help: String
    public var kind: Kind
    public var samples: [Sample]

    public init(_ name: String, _ kind: Kind, _ help: String, samples: [Sample] = []) {
        self.name = MetricText.name(name)
        self.kind = kind
        self.help = help
        self.samples = samples
    }

    /// A family of one series without labels.
    public init(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        self.init(name, kind, help, samples: [Sample(value)])
    }
}

public struct MetricLabel: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
