public import DeviceKit

/// What can be alerted of. The names are stable: configurations, scripts and receivers use them.
public enum AlertRule: String, Sendable, Hashable, Codable, CaseIterable {
    /// No contact with a device.
    case deviceOffline = "device.offline"
    /// Most devices of a site went away together: the engine's own conclusion.
    case siteLink = "site.link"
    /// The device is there, but nobody punches who usually would.
    case deviceSilent = "device.silent"
    case deviceAuth = "device.auth"
    case deviceReplaced = "device.replaced"
    /// Given up until its settings change.
    case deviceFaulted = "device.faulted"
    case clockDrift = "clock.drift"
    /// Punches with an impossible time.
    case clockJump = "clock.jump"
    /// The device's own log is nearly full.
    case storageHigh = "storage.high"
    case logCleared = "log.cleared"
    /// Punches may be missing: the log lost them before they were read.
    case logGap = "log.gap"
    case sinkBacklog = "sink.backlog"
    case sinkParked = "sink.parked"
    case hostDisk = "host.disk"
    case journalQuota = "journal.quota"
    /// Punches were given up that a sink had not got.
    case journalLoss = "journal.loss"
    case notificationsFailing = "notifications.failing"

    /// What a rule compares with its thresholds; `nil` for one that holds or does not.
    public enum Measure: Sendable, Hashable { case seconds, percent, count, factor }

    public var measure: Measure? {
        switch self {
        case .clockDrift, .sinkBacklog: .seconds
        case .storageHigh, .hostDisk, .journalQuota: .percent
        case .sinkParked: .count
        case .deviceSilent: .factor
        case .deviceOffline, .siteLink, .deviceAuth, .deviceReplaced, .deviceFaulted, .clockJump, .logCleared, .logGap,
            .journalLoss, .notificationsFailing:
            nil
        }
    }

    /// Alerts with one cause at one site are one incident.
    var cause: String {
        switch self {
        case .deviceOffline, .siteLink: "unreachable"
        default: rawValue
        }
    }

    /// It is told at once, without waiting for others of its kind.
    var isUrgent: Bool {
        switch self {
        case .deviceAuth, .deviceReplaced, .hostDisk, .journalLoss: true
        default: false
        }
    }

    /// Rules about a device that mean nothing while another holds for the same device.
    var mutedByOfDevice: [AlertRule] {
        switch self {
        case .deviceOffline: [.deviceAuth, .deviceReplaced, .deviceFaulted]
        case .deviceSilent: [.deviceOffline, .deviceAuth, .deviceReplaced, .deviceFaulted]
        case .clockDrift, .clockJump, .storageHigh: [.deviceOffline]
        default: []
        }
    }

    /// The same for one sink.
    var mutedByOfSink: [AlertRule] { self == .sinkParked ? [.sinkBacklog] : [] }

    /// The same for the host as a whole.
    var mutedByOfHost: [AlertRule] {
        switch self {
        case .sinkBacklog, .deviceSilent: [.hostDisk, .journalQuota]
        case .journalQuota: [.hostDisk]
        default: []
        }
    }
}

/// Who or what an alert is about.
public struct AlertSubject: Sendable, Hashable, Codable, Comparable {
    public enum Kind: String, Sendable, Hashable, Codable { case device, site, sink, host, channel }

    public let kind: Kind
    /// Its name in the configuration; empty for the host.
    public let name: String

    private init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }

    public static func device(_ name: String) -> AlertSubject { AlertSubject(.device, name) }
    public static func site(_ name: String) -> AlertSubject { AlertSubject(.site, name) }
    public static func sink(_ name: String) -> AlertSubject { AlertSubject(.sink, name) }
    public static func channel(_ name: String) -> AlertSubject { AlertSubject(.channel, name) }
    public static let host = AlertSubject(.host, "")

    public static func < (left: AlertSubject, right: AlertSubject) -> Bool {
        (left.kind.rawValue, left.name) < (right.kind.rawValue, right.name)
    }
}

/// One rule for one subject: what has a state.
public struct AlertKey: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
    public let rule: AlertRule
    public let subject: AlertSubject

    public init(_ rule: AlertRule, _ subject: AlertSubject) {
        self.rule = rule
        self.subject = subject
    }

    /// Unique for each key: `device.offline device gate-2`.
    public var description: String { "\(rule.rawValue) \(subject.kind.rawValue) \(subject.name)" }

    public static func < (left: AlertKey, right: AlertKey) -> Bool {
        left.subject == right.subject ? left.rule.rawValue < right.rule.rawValue : left.subject < right.subject
    }
}

/// What the host tells the engine of one rule and one subject. Telling the same again changes nothing.
public struct AlertSignal: Sendable, Hashable {
    public enum State: Sendable, Hashable {
        case active(AlertSeverity?)
        /// What a rule with thresholds measures, in the unit of ``AlertRule/measure``.
        case measured(Double)
        /// Something that happened and does not end by itself: held for so long after the last time.
        case happened(lasting: Duration)
        /// - Parameter awaitsEffect: how many punches were recovered is told later, with ``effect(punches:)``.
        case clear(awaitsEffect: Bool)
        case effect(punches: Int)
    }

    public var key: AlertKey
    public var state: State
    /// One sentence: what is known of it. Never a secret.
    public var detail: String
    /// When it began, where the host knows better than "now".
    public var since: Instant?
    /// It must last so long before it counts, unless the configuration says otherwise.
    public var leastHold: Duration?

    public init(
        _ rule: AlertRule, _ subject: AlertSubject, _ state: State, _ detail: String = "", since: Instant? = nil,
        leastHold: Duration? = nil
    ) {
        key = AlertKey(rule, subject)
        self.state = state
        self.detail = detail
        self.since = since
        self.leastHold = leastHold
    }
}
