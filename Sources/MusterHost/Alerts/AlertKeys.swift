import Alerts
import DeviceKit

/// Every key under `alerts:` that is not a channel type's own.
enum AlertKeys {
    private static let standard = AlertPlan()
    private static let wait = Duration.zero ... .seconds(7 * 86_400)
    private static let waits = SettingType<Duration>.duration(in: .seconds(1) ... .seconds(366 * 86_400))

    static let groupWait = Setting.duration(
        "group_wait", default: standard.groupWait, in: .zero ... .seconds(3_600),
        "How long an incident waits for more of its kind before anybody is told, and for its end to last.")
    static let groupInterval = Setting.duration(
        "group_interval", default: standard.groupInterval, in: .zero ... .seconds(86_400),
        "Changes of an incident are told at most so often; what makes it critical is told at once.")
    static let lookEvery = Setting.duration(
        "look_every", default: .seconds(30), in: .milliseconds(100) ... .seconds(3_600),
        "How often the disk, sinks and devices are looked at.")
    static let schema = SettingsSchema(groupWait, groupInterval, lookEvery)

    static let channels = "channels"
    static let escalation = "escalation"
    static let rules = "rules"
    static let repeats = "repeat"
    static let siteLink = "site_link"
    static let flapping = "flapping"
    static let deadman = "deadman"
    static let sections = [channels, escalation, rules, repeats, siteLink, flapping, deadman]

    enum Channel {
        private static let standard = ChannelPlan(name: "")

        static let type = Setting.string("type", "The type of the channel.", example: "email")
        static let severity = Setting<AlertSeverity>.choice(
            "severity", default: .info, "Lesser incidents are not told here.")
        static let quiet = Setting.list(
            "quiet", of: .hours, count: 0...20,
            "Hours in which only what is critical is told; the rest comes as one digest afterwards.",
            example: "[\"22:00-06:00\"]")
        static let breaksThrough = Setting.bool(
            "critical_breaks_through", default: true, "Whether critical incidents are told in quiet hours, too.")
        static let timezone = Setting.timeZone(
            "timezone", "Time zone of the quiet hours; otherwise that of the whole configuration."
        ).optional
        static let fallback = Setting.optionalString(
            "fallback", "The channel that gets what this one fails to deliver twice.", example: "chat")
        static let burst = Setting.integer(
            "burst", default: standard.burst, in: 1...1_000, "Messages that may go one after the other.",
            unit: "messages")
        static let rate = Setting.rate(
            "rate", default: standard.rate, "How fast leave for more comes back; what has none goes in one digest.",
            example: "30/h")
        static let retryBase = Setting.duration(
            "retry_base", default: standard.retryBase, in: .milliseconds(10) ... .seconds(900),
            "Wait after the first failure; doubles up to 15 minutes.")
        /// What every type of channel takes besides its own keys.
        static let common = SettingsSchema(
            severity, quiet, breaksThrough, timezone, fallback, burst, rate, retryBase)
    }

    enum Step {
        static let channels = Setting.list(
            "channels", of: .text(), count: 1...50, "Who is told.", example: "[it]")
        static let after = Setting.duration(
            "after", default: .zero, in: wait,
            "How long after the first message, unless somebody acknowledged it or it is over.")
        static let severity = Setting<AlertSeverity>.choice(
            "severity", default: .info, "Only incidents of this severity or a greater one.")
        static let schema = SettingsSchema(channels, after, severity)
        static let mostSteps = 20
    }

    enum Repeat {
        static let critical = times(.critical)
        static let warning = times(.warning)
        static let info = times(.info)
        static let schema = SettingsSchema(critical, warning, info)

        private static func times(_ severity: AlertSeverity) -> Setting<[Duration]> {
            Setting.list(
                severity.rawValue, of: waits, default: standard.repeats[severity] ?? [], count: 0...20,
                "Waits before an incident that goes on is told again; the last one stays. [] for never.")
        }
    }

    enum SiteLink {
        static let devices = Setting.integer(
            "devices", default: standard.siteLink.devices, in: 1...100_000,
            "More devices of a site than so many that go away together are one dead link; all of them are, too.",
            unit: "devices")
        static let within = Setting.duration(
            "within", default: standard.siteLink.within, in: .milliseconds(100) ... .seconds(3_600),
            "What together means.")
        static let settle = Setting.duration(
            "settle", default: standard.siteLink.settle, in: .zero ... .seconds(86_400),
            "Once the first device is back, the others get so long before those that are missing are told.")
        static let schema = SettingsSchema(devices, within, settle)
    }

    enum Flapping {
        static let changes = Setting.integer(
            "changes", default: standard.flapping.changes, in: 1...1_000,
            "What begins and ends more often within the time below is told as one unstable thing.", unit: "changes")
        static let within = Setting.duration(
            "within", default: standard.flapping.within, in: .seconds(1) ... .seconds(86_400), "In what time.")
        static let calm = Setting.duration(
            "calm", default: standard.flapping.calm, in: .seconds(1) ... .seconds(86_400),
            "So long without a change, and it counts as stable again.")
        static let schema = SettingsSchema(changes, within, calm)
    }

    enum Deadman {
        static let url = Setting.secret(
            "url", "Asked as long as the host lives; the service behind it calls for help when it hears nothing.",
            example: "${DEADMAN_URL}")
        static let every = Setting.duration(
            "every", default: .seconds(300), in: .milliseconds(100) ... .seconds(86_400), "How often.")
        static let schema = SettingsSchema(url, every)
    }
}

/// The keys of one rule: what it measures decides what its thresholds look like.
struct RuleKeys: Sendable {
    let rule: AlertRule
    let enabled: Setting<Bool>
    let hold: Setting<Duration?>
    let hours: Setting<[HoursOfWeek]>
    let repeats: Setting<[Duration]?>
    let severity: Setting<AlertSeverity>
    let criticalAfter: Setting<Duration?>
    /// In seconds.
    let durations: (warning: Setting<Duration?>, critical: Setting<Duration?>)
    let numbers: (warning: Setting<Double?>, critical: Setting<Double?>)

    init(_ rule: AlertRule) {
        let plan = RulePlan(rule)
        self.rule = rule
        enabled = .bool("enabled", default: true, "Whether anybody is told of it.")
        hold = Setting(
            "for", SettingType.duration(in: .zero ... .seconds(7 * 86_400)).optional,
            default: .some(nil), Self.holdSummary(rule), example: "10m")
        hours = .list(
            "hours", of: .hours, count: 0...20, "Only in these hours of the device's wall clock; always without them.",
            example: "[\"mon-fri 06:00-22:00\"]")
        let wait = SettingType<Duration>.duration(in: .seconds(1) ... .seconds(366 * 86_400))
        repeats = Setting(
            "repeat", wait.list(0...20).optional, default: .some(nil),
            "Waits before it is told again while it goes on; otherwise those of its severity.", example: "[1h, 4h]")
        severity = .choice("severity", default: plan.severity, "How much it matters.")
        criticalAfter = Setting(
            "critical_after", wait.optional, default: .some(plan.criticalAfter),
            "After so long it is critical.", example: "1h")
        durations = (Self.duration("warning", plan.warningAt), Self.duration("critical", plan.criticalAt))
        let unit =
            switch rule.measure {
            case .percent: "percent"
            case .count: "punches"
            case .factor: "times the usual gap"
            case .seconds, nil: ""
            }
        numbers = (
            Self.number("warning", plan.warningAt, unit), Self.number("critical", plan.criticalAt, unit)
        )
    }

    var schema: SettingsSchema {
        var settings: [any SettingDeclaration] = [enabled, hold, repeats]
        switch rule.measure {
        case nil: settings += [severity, criticalAfter] as [any SettingDeclaration]
        case .seconds: settings += [durations.warning, durations.critical] as [any SettingDeclaration]
        case .percent, .count, .factor: settings += [numbers.warning, numbers.critical] as [any SettingDeclaration]
        }
        if rule.isAboutDevices { settings.append(hours) }
        return SettingsSchema(settings)
    }

    /// - Throws: ``ConfigurationError`` for thresholds in the wrong order.
    func plan(_ values: SettingsValues) throws(ConfigurationError) -> RulePlan {
        var plan = RulePlan(rule)
        plan.isEnabled = try values.value(enabled)
        plan.holdFor = try values.value(hold)
        plan.repeats = try values.value(repeats)
        switch rule.measure {
        case nil:
            plan.severity = try values.value(severity)
            plan.criticalAfter = try values.value(criticalAfter)
        case .seconds:
            plan.warningAt = try values.value(durations.warning)?.inSeconds
            plan.criticalAt = try values.value(durations.critical)?.inSeconds
        case .percent, .count, .factor:
            plan.warningAt = try values.value(numbers.warning)
            plan.criticalAt = try values.value(numbers.critical)
        }
        if rule.isAboutDevices { plan.hours = try values.value(hours) }
        if let warning = plan.warningAt, let critical = plan.criticalAt, warning > critical {
            throw values.error("critical", "is less than warning", hint: "critical is the greater of the two")
        }
        return plan
    }

    private static func holdSummary(_ rule: AlertRule) -> String {
        rule == .deviceOffline
            ? "How long it must last; otherwise three of the device's usual intervals, 5 minutes at the least."
            : "How long it must last before it counts."
    }

    private static func duration(_ key: String, _ standard: Double?) -> Setting<Duration?> {
        Setting(
            key, SettingType.duration(in: .seconds(1) ... .seconds(366 * 86_400)).optional,
            default: .some(standard.map { .milliseconds(Int64($0 * 1_000)) }),
            "From this on it is \(key == "warning" ? "a warning" : "critical").",
            example: "30s")
    }

    private static func number(_ key: String, _ standard: Double?, _ unit: String) -> Setting<Double?> {
        Setting(
            key, SettingType.number(in: 0...1_000_000_000).optional, default: .some(standard),
            "From this on it is \(key == "warning" ? "a warning" : "critical").", unit: unit, example: "80")
    }
}

extension AlertRule {
    var isAboutDevices: Bool {
        switch self {
        case .deviceOffline, .siteLink, .deviceSilent, .deviceAuth, .deviceReplaced, .deviceFaulted, .clockDrift,
            .clockJump, .storageHigh, .logCleared, .logGap:
            true
        case .sinkBacklog, .sinkParked, .hostDisk, .journalQuota, .journalLoss, .notificationsFailing: false
        }
    }
}
