import DeviceKit

/// What people are told of a rule: what it means for them, where it usually comes from, what to do.
struct RuleText: Sendable {
    /// After "Gate 2": `cannot be reached`.
    let state: String
    /// After "3 devices": `cannot be reached`.
    let states: String
    /// After "Gate 2", when it is over: `is back`.
    let over: String
    let overs: String
    let effect: String
    let cause: String
    let remedy: String

    init(
        _ state: String, many states: String, over: String, overs: String, effect: String, cause: String, remedy: String
    ) {
        self.state = state
        self.states = states
        self.over = over
        self.overs = overs
        self.effect = effect
        self.cause = cause
        self.remedy = remedy
    }

    static func of(_ rule: AlertRule) -> RuleText {
        switch rule {
        case .deviceOffline:
            RuleText(
                "cannot be reached", many: "cannot be reached", over: "is back", overs: "are back",
                effect: "People can go on punching: the terminal keeps the punches, and they are read when it is back.",
                cause: "Power, cable, switch or network address of the terminal.",
                remedy: "Look at the terminal's power and network; then: muster test DEVICE")
        case .siteLink:
            RuleText(
                "has no link", many: "have no link", over: "has its link again", overs: "have their links again",
                effect:
                    "People can go on punching: the terminals keep the punches, and they are read when they are back.",
                cause: "The site's power, router, switch or line: the terminals went away together.",
                remedy: "Look at the site's power and network; nothing needs to be done at the terminals.")
        case .deviceSilent:
            RuleText(
                "has no punches though it usually has at this hour",
                many: "have no punches though they usually have at this hour", over: "has punches again",
                overs: "have punches again", effect: "People may be unable to punch.",
                cause: "The terminal's reader or screen, a blocked door, or a day off.",
                remedy: "Ask somebody at the site to punch.")
        case .deviceAuth:
            RuleText(
                "refuses our key", many: "refuse our key", over: "accepts our key again", overs: "accept our key again",
                effect: "People go on punching, and the punches cannot be read until the key is right.",
                cause: "The communication key of the terminal was changed, or the configuration was.",
                remedy: "Compare the key in the terminal's menu with the device's password in the configuration.")
        case .deviceReplaced:
            RuleText(
                "is another terminal than before", many: "are other terminals than before", over: "is accepted",
                overs: "are accepted", effect: "Nothing is taken from it until somebody accepts it.",
                cause: "The terminal was exchanged, or two have the same address.",
                remedy: "If it was exchanged on purpose: muster device DEVICE accept")
        case .deviceFaulted:
            RuleText(
                "is given up", many: "are given up", over: "works again", overs: "work again",
                effect: "It is not tried again until its settings change.",
                cause: "Its settings cannot work.", remedy: "Correct its settings; muster check names mistakes.")
        case .clockDrift:
            RuleText(
                "shows the wrong time", many: "show the wrong time", over: "shows the right time again",
                overs: "show the right time again", effect: "Punches carry the wrong time.",
                cause: "The terminal's clock, its time zone, or the time zone in the configuration.",
                remedy: "Set the terminal's clock; then: muster test DEVICE")
        case .clockJump:
            RuleText(
                "sends punches with an impossible time", many: "send punches with an impossible time",
                over: "sends possible times again", overs: "send possible times again",
                effect: "These punches are kept, marked and not delivered.",
                cause: "The terminal's clock was reset or set wrongly.",
                remedy: "Set the terminal's clock and look at the punches: muster punches --device DEVICE")
        case .storageHigh:
            RuleText(
                "has a log that is nearly full", many: "have logs that are nearly full",
                over: "has room in its log again",
                overs: "have room in their logs again",
                effect: "A full log is overwritten, or the terminal refuses to take punches, depending on the model.",
                cause: "The log was not cleared for a long time.",
                remedy: "Clear the terminal's log once everything in it was read.")
        case .logCleared:
            RuleText(
                "has a log that was cleared or rewritten", many: "have logs that were cleared or rewritten",
                over: "has a log that is whole again", overs: "have logs that are whole again",
                effect: "Punches that had not been read before are lost.",
                cause: "Somebody cleared the log at the terminal or with other software, or the terminal was reset.",
                remedy: "Find out who cleared it, and whether punches are missing.")
        case .logGap:
            RuleText(
                "may have lost punches", many: "may have lost punches", over: "has no gap any more",
                overs: "have no gap any more", effect: "Punches between two readings may be missing.",
                cause: "The log overwrote punches before they could be read.",
                remedy: "Compare with people's own records for that time; poll more often.")
        case .sinkBacklog:
            RuleText(
                "waits for punches", many: "wait for punches", over: "has caught up", overs: "have caught up",
                effect: "Punches are safe in the journal; the target does not have them yet.",
                cause: "The target is down, refuses us, or is slow.", remedy: "See muster status for the reason.")
        case .sinkParked:
            RuleText(
                "refused punches for good", many: "refused punches for good", over: "has no refused punches any more",
                overs: "have no refused punches any more", effect: "The target does not have these punches.",
                cause: "People or devices that the target does not know.",
                remedy: "See muster deadletters; mend the cause, then retry or discard them.")
        case .hostDisk:
            RuleText(
                "has little room on its disk", many: "have little room on their disks", over: "has room again",
                overs: "have room again", effect: "When it is full, no terminal is read: they keep their punches.",
                cause: "The journal, logs or something else on the same disk.", remedy: "Make room on the disk.")
        case .journalQuota:
            RuleText(
                "has a journal that nears its quota", many: "have journals that near their quotas",
                over: "has a journal with room again", overs: "have journals with room again",
                effect: "From 80 % on polls slow down, from 95 % on terminals are not read.",
                cause: "A sink that has not got its punches, or keep without a limit.",
                remedy: "Mend the sinks, or set journal: keep, quota and when_full.")
        case .journalLoss:
            RuleText(
                "gave up punches that a sink had not got", many: "gave up punches that sinks had not got",
                over: "gave up no more punches", overs: "gave up no more punches",
                effect: "The sink will not get these punches from the journal.",
                cause: "The quota was reached with when_full: forget-oldest.",
                remedy: "Mend the sink, give the journal more room, and read the terminals' logs anew.")
        case .notificationsFailing:
            RuleText(
                "does not deliver messages", many: "do not deliver messages", over: "delivers messages again",
                overs: "deliver messages again", effect: "Whoever reads this channel does not hear of alerts.",
                cause: "The server of the channel, its credentials, or the network.",
                remedy: "Try it: muster alerts test CHANNEL")
        }
    }
}

/// Lengths of time for people: `3 h 12 min`.
enum DurationWords {
    static func text(_ duration: Duration) -> String {
        let seconds = Int(clamping: max(duration.components.seconds, 0))
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
        if days > 0 { return hours > 0 ? "\(days) d \(hours) h" : "\(days) d" }
        if hours > 0 { return minutes > 0 ? "\(hours) h \(minutes) min" : "\(hours) h" }
        if minutes > 0 { return "\(minutes) min" }
        return "\(seconds) s"
    }

    static func count(_ number: Int, _ one: String, _ many: String) -> String {
        "\(grouped(number)) \(number == 1 ? one : many)"
    }

    /// `12,345`.
    static func grouped(_ number: Int) -> String {
        var digits = String(number.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }
}
