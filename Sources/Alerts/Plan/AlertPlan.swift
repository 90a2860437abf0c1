public import DeviceKit

/// Everything that the engine does by, checked and complete.
public struct AlertPlan: Sendable, Hashable {
    public var rules: [AlertRule: RulePlan]
    /// How long an incident waits for more of its kind before it is told for the first time.
    public var groupWait: Duration = .seconds(30)
    /// Changes of an incident are told at most so often.
    public var groupInterval: Duration = .seconds(300)
    public var siteLink = SiteLinkPlan()
    public var flapping = FlappingPlan()
    /// Waits before an incident that goes on is told again; the last one stays. Empty for never.
    public var repeats: [AlertSeverity: [Duration]]
    /// Whom to tell, in the order of their delays; empty for all channels at once.
    public var steps: [EscalationStep] = []
    public var channels: [ChannelPlan] = []
    /// Those that are enabled.
    public var devices: [String: DeviceFacts] = [:]
    public var sinks: Set<String> = []
    /// For what belongs to no device.
    public var zone: DeviceTimeZone = .utc

    /// What a device's recovery may wait for the count of what was recovered.
    static let longestEffectWait = Duration.seconds(600)

    public init() {
        rules = Dictionary(uniqueKeysWithValues: AlertRule.allCases.map { ($0, RulePlan($0)) })
        let (hour, day) = (Duration.seconds(3_600), Duration.seconds(86_400))
        repeats = [.critical: [hour, hour * 4, hour * 12, day], .warning: [hour * 12, day], .info: []]
    }

    public struct DeviceFacts: Sendable, Hashable {
        public var name: String
        /// What its alerts are grouped by.
        public var site: String?
        public var zone: DeviceTimeZone

        public init(name: String, site: String?, zone: DeviceTimeZone) {
            self.name = name
            self.site = site
            self.zone = zone
        }
    }
}

/// One rule, as it is set.
public struct RulePlan: Sendable, Hashable {
    public var isEnabled = true
    /// Of a rule that holds or does not.
    public var severity: AlertSeverity
    /// How long it must hold before it is told; `nil` for the usual time.
    public var holdFor: Duration?
    /// Used when ``holdFor`` is not set; a signal may ask for more.
    var usualHold: Duration = .zero
    /// It becomes critical after so long.
    public var criticalAfter: Duration?
    /// From this value on, in the unit of the rule's measure.
    public var warningAt: Double?
    public var criticalAt: Double?
    /// Only within these hours of the device's wall clock; empty for always.
    public var hours: [HoursOfWeek] = []
    /// `nil` for what the severity says.
    public var repeats: [Duration]?

    public init(_ rule: AlertRule) {
        severity = .critical
        switch rule {
        case .deviceOffline:
            severity = .warning
            usualHold = .seconds(300)
            criticalAfter = .seconds(3_600)
        case .siteLink: severity = .critical
        case .deviceSilent:
            severity = .warning
            warningAt = 8
        case .clockDrift: (warningAt, criticalAt) = (30, 120)
        case .storageHigh: (warningAt, criticalAt) = (80, 95)
        case .sinkBacklog: (warningAt, criticalAt) = (900, 4 * 3_600)
        case .sinkParked: warningAt = 1
        case .hostDisk: (warningAt, criticalAt) = (90, 97)
        case .journalQuota: (warningAt, criticalAt) = (80, 95)
        case .notificationsFailing: severity = .warning
        case .deviceAuth, .deviceReplaced, .deviceFaulted, .clockJump, .logCleared, .logGap, .journalLoss: break
        }
    }

    /// How much a measured value matters; `nil` when all is well.
    func severity(of value: Double) -> AlertSeverity? {
        if let criticalAt, value >= criticalAt { return .critical }
        if let warningAt, value >= warningAt { return .warning }
        return nil
    }
}

/// When devices that go away are one dead link.
public struct SiteLinkPlan: Sendable, Hashable {
    /// More devices of a site than so many; all of them, two at the least, are enough, too.
    public var devices = 10
    /// They went away within so long.
    public var within: Duration = .seconds(120)
    /// Once the first is back the others get so long before the link counts as back without them.
    public var settle: Duration = .seconds(600)

    public init() {}
}

/// When something that comes and goes is told as one unstable thing.
public struct FlappingPlan: Sendable, Hashable {
    /// More changes than so many within ``within``.
    public var changes = 4
    public var within: Duration = .seconds(3_600)
    /// So long without a change ends it.
    public var calm: Duration = .seconds(1_800)

    public init() {}
}

/// Whom to tell of an incident, and when.
public struct EscalationStep: Sendable, Hashable {
    /// After the first message, unless somebody acknowledged it or it is over.
    public var after: Duration
    public var channels: [String]
    /// From this severity on.
    public var severity: AlertSeverity

    public init(after: Duration, channels: [String], severity: AlertSeverity) {
        self.after = after
        self.channels = channels
        self.severity = severity
    }
}

/// What holds for a channel of any type.
public struct ChannelPlan: Sendable, Hashable {
    public var name: String
    /// Lesser incidents are not told here.
    public var severity: AlertSeverity = .info
    /// Then only what is critical is told; the rest waits for one digest.
    public var quiet: [HoursOfWeek] = []
    public var isQuietForCritical = false
    public var zone: DeviceTimeZone = .utc
    /// Gets what this one fails to deliver.
    public var fallback: String?
    /// Messages that may go at once, and how fast leave for more comes back.
    public var burst = 10
    public var rate = Rate(30, per: .hour) ?? .perMinute(1)
    /// After the first failure; doubles up to a quarter of an hour.
    public var retryBase: Duration = .seconds(30)

    static let retryCeiling = Duration.seconds(900)

    public init(name: String) { self.name = name }
}
