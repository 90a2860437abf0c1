/// Something about a device that an operator should know, for as long as it holds.
public struct DeviceCondition: Sendable, Hashable {
    /// What it is. Stable: alert rules, scripts and dashboards name them.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// Another serial number answers at the address. Nothing is taken from it until an operator accepts it.
        case deviceReplaced = "device-replaced"
        /// The device refuses the credentials.
        case unauthorised
        /// The driver cannot work with the device until its settings change.
        case faulted
        /// No connection for so long that capture was given up; polls still try by the schedule.
        case captureSuspended = "capture-suspended"
        /// The device's own log will soon be full. What happens then depends on the model: it overwrites or it refuses.
        case logNearlyFull = "log-nearly-full"
        /// The log was cleared or rewritten since it was read, and has been read anew.
        case logCleared = "log-cleared"
        /// Punches between two reads may be missing: the log lost them before they could be read.
        case gap
        /// The device's clock differs from the host's by more than is allowed.
        case clockOff = "clock-off"
        /// The device's clock shows no possible date.
        case clockUnreadable = "clock-unreadable"
        /// The host set the device's clock back past punches that were made already: their order by time is not the order
        /// in which they were made.
        case clockSetBack = "clock-set-back"
    }

    /// How much it matters.
    public enum Severity: String, Sendable, Hashable, CaseIterable, Comparable {
        /// Good to know; nothing needs to be done.
        case notice
        /// Somebody should look at it in the next days.
        case warning
        /// Punches wait, or will be lost.
        case critical

        public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .notice: 0
            case .warning: 1
            case .critical: 2
            }
        }
    }

    public var code: Code
    /// One sentence for an operator, with what to do where something can be done. Never a secret.
    public var message: String
    public var severity: Severity
    /// When it began.
    public var since: Instant

    public init(_ code: Code, _ message: String, severity: Severity? = nil, since: Instant) {
        self.code = code
        self.message = message
        self.severity = severity ?? code.usualSeverity
        self.since = since
    }

    /// The keys `code, message, severity, since`.
    public var json: JSONNode {
        .object([
            "code": .string(code.rawValue), "message": .string(message), "severity": .string(severity.rawValue),
            "since": .string(since.description),
        ])
    }
}

extension DeviceCondition.Code {
    public var usualSeverity: DeviceCondition.Severity {
        switch self {
        case .deviceReplaced, .unauthorised, .faulted, .captureSuspended, .gap: .critical
        case .logNearlyFull, .logCleared, .clockOff, .clockUnreadable: .warning
        case .clockSetBack: .notice
        }
    }
}

/// The conditions of one device: at most one for each code, the gravest first, then the oldest.
public struct DeviceConditions: Sendable, Hashable {
    public private(set) var all: [DeviceCondition]

    /// What raising a condition changed.
    public enum Change: Sendable, Hashable {
        /// It holds from now on.
        case began
        /// It held before; its words or its severity are new.
        case changed
        case none
    }

    public init(_ conditions: some Sequence<DeviceCondition> = []) {
        all = []
        for condition in conditions { raise(condition) }
    }

    public var isEmpty: Bool { all.isEmpty }

    public subscript(code: DeviceCondition.Code) -> DeviceCondition? { all.first { $0.code == code } }

    /// All messages in one line; `nil` when all is well.
    public var summary: String? {
        all.isEmpty ? nil : all.map { "\($0.code.rawValue): \($0.message)" }.joined(separator: "; ")
    }

    /// Adds a condition. One that holds already keeps the moment at which it began.
    @discardableResult
    public mutating func raise(_ condition: DeviceCondition) -> Change {
        var condition = condition
        let known = clear(condition.code)
        if let known { condition.since = known.since }
        let place = all.firstIndex { Self.precedes(condition, $0) } ?? all.endIndex
        all.insert(condition, at: place)
        guard let known else { return .began }
        return known == condition ? .none : .changed
    }

    /// Removes a condition and answers what it was.
    @discardableResult
    public mutating func clear(_ code: DeviceCondition.Code) -> DeviceCondition? {
        guard let index = all.firstIndex(where: { $0.code == code }) else { return nil }
        return all.remove(at: index)
    }

    private static func precedes(_ left: DeviceCondition, _ right: DeviceCondition) -> Bool {
        left.severity == right.severity ? left.since < right.since : left.severity > right.severity
    }
}
