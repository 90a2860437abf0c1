internal import DeviceKit
internal import Foundation

/// `muster status --check`: what a monitoring system of the Nagios family wants to hear. One line and an exit code.
struct ServiceCheck {
    enum Level: Int32, Comparable {
        case ok = 0
        case warning = 1
        case critical = 2
        case unknown = 3

        var word: String { "\(self)".uppercased() }

        /// An unknown state matters less than one that is known to be bad.
        static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .ok: 0
            case .unknown: 1
            case .warning: 2
            case .critical: 3
            }
        }
    }

    /// From where on a number is a warning, and critical; `nil` for never.
    struct Thresholds: Equatable {
        var warning: Double?
        var critical: Double?

        func level(_ value: Double) -> Level {
            if let critical, value >= critical { return .critical }
            if let warning, value >= warning { return .warning }
            return .ok
        }

        /// `1,10`, `1`, `,10`, or nothing at all.
        static func parse(_ text: String, _ number: (String) -> Double?) -> Thresholds? {
            let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            guard parts.count <= 2 else { return nil }
            var values: [Double?] = []
            for part in parts {
                guard !part.isEmpty else {
                    values.append(nil)
                    continue
                }
                guard let value = number(part), value >= 0 else { return nil }
                values.append(value)
            }
            return Thresholds(warning: values.first ?? nil, critical: values.dropFirst().first ?? nil)
        }
    }

    struct Limits {
        var away = Thresholds(warning: 1, critical: nil)
        /// Seconds.
        var lag = Thresholds(warning: 900, critical: 7_200)
        var behind = Thresholds(warning: nil, critical: nil)
        var deadLetters = Thresholds(warning: 1, critical: nil)
        /// Per cent of the quota.
        var fill = Thresholds(warning: 80, critical: 95)
        /// Codes of conditions that do not matter.
        var ignored: Set<String> = []
    }

    /// What was found.
    struct Facts {
        struct Device {
            var name: String
            var isEnabled = true
            /// Why the device does not serve us; `nil` when it does.
            var trouble: String?
            var conditions: [DeviceCondition] = []
        }

        struct Sink {
            var name: String
            var backlog = 0
            /// Seconds that the oldest punch has waited.
            var lag: Double = 0
            var deadLetters = 0
            var error: String?
        }

        var isRunning = true
        var devices: [Device] = []
        var sinks: [Sink] = []
        /// Per cent of the quota; `nil` without one.
        var fill: Double?
    }

    private(set) var level = Level.ok
    private var problems: [(level: Level, text: String)] = []
    private var figures: [String] = []

    init(_ facts: Facts, _ limits: Limits) {
        if !facts.isRunning { add(.critical, "no host is running") }
        check(facts.devices.filter(\.isEnabled), limits)
        check(facts.sinks, limits)
        if let fill = facts.fill {
            let level = limits.fill.level(fill)
            if level > .ok { add(level, "the journal is \(Self.number(fill)) % full") }
            figure("journal_fill", fill, unit: "%", limits.fill)
        }
        if problems.isEmpty {
            let (devices, sinks) = (facts.devices.count { $0.isEnabled }, facts.sinks.count)
            problems = [(.ok, "\(Self.counted(devices, "device")), \(Self.counted(sinks, "sink")), all well")]
        }
    }

    /// For a state that cannot be found out.
    init(unknown reason: String) { add(.unknown, reason) }

    /// `MUSTER WARNING - 1 of 4 devices is away: lobby (no answer) | away=1;1;;0;4 …`
    var line: String {
        let text = problems.sorted { $0.level > $1.level }.map(\.text).joined(separator: "; ")
        let plain = PlainText.escaped("MUSTER \(level.word) - \(text)").replacing("|", with: "/")
        return figures.isEmpty ? plain : plain + " | " + figures.joined(separator: " ")
    }

    private mutating func check(_ devices: [Facts.Device], _ limits: Limits) {
        let away = devices.filter { $0.trouble != nil }
        let level = limits.away.level(Double(away.count))
        if level > .ok {
            let named = away.prefix(3).map { "\($0.name) (\(($0.trouble ?? "").prefix(80)))" }
            let more = away.count > 3 ? " and \(away.count - 3) more" : ""
            add(
                level,
                "\(away.count) of \(devices.count) devices \(away.count == 1 ? "is" : "are") away: "
                    + named.joined(separator: ", ") + more)
        }
        figure("away", Double(away.count), limits.away, bounds: "0;\(devices.count)")
        var conditions = 0
        for device in devices {
            for condition in device.conditions where !limits.ignored.contains(condition.code.rawValue) {
                conditions += 1
                switch condition.severity {
                case .notice: break
                case .warning: add(.warning, "\(device.name): \(condition.code.rawValue)")
                case .critical: add(.critical, "\(device.name): \(condition.code.rawValue)")
                }
            }
        }
        figures.append("conditions=\(conditions);;;0")
    }

    private mutating func check(_ sinks: [Facts.Sink], _ limits: Limits) {
        for sink in sinks {
            let level = max(limits.lag.level(sink.lag), limits.behind.level(Double(sink.backlog)))
            if level > .ok {
                let reason = sink.error.map { ": \($0.prefix(80))" } ?? ""
                add(
                    level,
                    "sink \(sink.name) is \(sink.backlog) punches behind, the oldest for "
                        + DurationText.format(.seconds(Int64(sink.lag))) + reason)
            }
            let letters = limits.deadLetters.level(Double(sink.deadLetters))
            if letters > .ok { add(letters, "sink \(sink.name) refused \(sink.deadLetters) punches") }
            figure("\(sink.name)_lag", sink.lag.rounded(), unit: "s", limits.lag)
            figure("\(sink.name)_behind", Double(sink.backlog), limits.behind)
            figure("\(sink.name)_dead_letters", Double(sink.deadLetters), limits.deadLetters)
        }
    }

    private mutating func add(_ level: Level, _ text: String) {
        problems.append((level, text))
        self.level = max(self.level, level)
    }

    private mutating func figure(
        _ name: String, _ value: Double, unit: String = "", _ limits: Thresholds, bounds: String = "0"
    ) {
        func text(_ value: Double?) -> String { value.map { Self.number($0) } ?? "" }
        figures.append("\(name)=\(text(value))\(unit);\(text(limits.warning));\(text(limits.critical));\(bounds)")
    }

    private static func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? String(format: "%.1f", value)
    }
}
