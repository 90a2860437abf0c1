public import DeviceKit

/// Wall time for people and calendars, uptime to notice when somebody sets the clock.
public struct AlertMoment: Sendable, Hashable {
    public var now: Instant
    public var uptime: Duration

    public init(now: Instant, uptime: Duration) {
        self.now = now
        self.uptime = uptime
    }
}

/// A message that a channel is to send now. ``AlertEngine/sent(_:by:reference:at:)`` or
/// ``AlertEngine/failed(_:by:_:at:)`` answers it.
public struct AlertSend: Sendable, Hashable {
    public var channel: String
    public var message: AlertMessage
    /// Ids of earlier messages of the thread in this channel, the first and the last.
    public var earlier: [String]
    /// What the channel called the first message of the thread.
    public var reference: String?

    public init(channel: String, message: AlertMessage, earlier: [String] = [], reference: String? = nil) {
        self.channel = channel
        self.message = message
        self.earlier = earlier
        self.reference = reference
    }
}

/// Decides who is told what, and when: pure, so that a year of it is tested in a second.
///
/// Alerts go from calm over pending to firing; those of one cause at one site are one incident; incidents make messages;
/// channels let messages through by their hours, rates and health. Feed it with signals, then ask ``step(at:)``, whenever
/// something happened and at the ``deadline``.
public struct AlertEngine: Sendable {
    public internal(set) var state: AlertState
    public internal(set) var plan: AlertPlan {
        didSet { sites = Self.sites(of: plan) }
    }
    /// The sites that have a name, with their devices.
    private(set) var sites: [String: [String]]
    /// Incidents that ended since they were last taken.
    var ended: [Incident] = []
    /// When something is due, without anything happening; `nil` for never.
    public internal(set) var deadline: Instant?

    var now = Instant(secondsSince1970: 0)
    private var lastMoment: AlertMoment?
    /// What each channel is sending.
    var flights: [String: Flight] = [:]

    struct Flight: Sendable {
        var message: AlertMessage
        /// The queued messages that it stands for.
        var covers: [AlertMessage]
    }

    /// The clock was set when it moved so much more or less than the uptime.
    private static let leastJump = Duration.seconds(2)

    public init(_ plan: AlertPlan, state: AlertState) {
        self.plan = plan
        self.state = state
        sites = Self.sites(of: plan)
    }

    /// New settings, or other devices. What is no longer configured is over.
    public mutating func replan(_ plan: AlertPlan) { self.plan = plan }

    public mutating func take(_ signals: [AlertSignal], at moment: AlertMoment) {
        advance(to: moment)
        for signal in signals { take(signal) }
    }

    /// Brings everything to the moment.
    /// - Returns: what is to be sent, at most one message for each channel.
    public mutating func step(at moment: AlertMoment) -> [AlertSend] {
        advance(to: moment)
        deadline = nil
        for (id, silence) in state.silences where isDue(silence.until) { state.silences[id] = nil }
        endUnknown()
        for key in state.alerts.keys.sorted() { settle(key) }
        for site in sites.keys.sorted() { judgeLink(of: site) }
        let keys = state.alerts.keys.sorted()
        // Links first: what they explain is told with them.
        for key in keys where key.rule == .siteLink { fire(key) }
        for key in keys where key.rule != .siteLink { fire(key) }
        for key in keys { join(key) }
        for id in state.incidents.keys.sorted() { advance(incident: id) }
        state.alerts = state.alerts.filter { !isForgettable($0.value) }
        return sends()
    }

    /// Incidents that ended, each once.
    public mutating func takeEnded() -> [Incident] {
        defer { ended = [] }
        return ended
    }

    // MARK: Time

    private mutating func advance(to moment: AlertMoment) {
        if let last = lastMoment {
            let jump = (moment.now - last.now) - (moment.uptime - last.uptime)
            if jump >= Self.leastJump || jump <= .zero - Self.leastJump { state.shift(by: jump) }
        }
        lastMoment = moment
        now = moment.now
    }

    /// Whether an instant has come. One that has not is noted for the ``deadline``.
    mutating func isDue(_ instant: Instant) -> Bool {
        guard instant > now else { return true }
        deadline = deadline.map { min($0, instant) } ?? instant
        return false
    }

    // MARK: Who is who

    private static func sites(of plan: AlertPlan) -> [String: [String]] {
        Dictionary(grouping: plan.devices.keys) { plan.devices[$0]?.site }
            .reduce(into: [:]) { sites, entry in if let site = entry.key { sites[site] = entry.value.sorted() } }
    }

    func site(of subject: AlertSubject) -> String? {
        switch subject.kind {
        case .device: plan.devices[subject.name]?.site
        case .site: subject.name
        case .sink, .host, .channel: nil
        }
    }

    func isKnown(_ key: AlertKey) -> Bool {
        guard plan.rules[key.rule]?.isEnabled == true else { return false }
        switch key.subject.kind {
        case .device: return plan.devices[key.subject.name] != nil
        case .sink: return plan.sinks.contains(key.subject.name)
        case .channel: return plan.channels.contains { $0.name == key.subject.name }
        case .host: return true
        case .site: return sites[key.subject.name] != nil
        }
    }

    func zone(of subject: AlertSubject) -> DeviceTimeZone {
        switch subject.kind {
        case .device: return plan.devices[subject.name]?.zone ?? plan.zone
        case .site:
            return sites[subject.name]?.first.flatMap { plan.devices[$0]?.zone } ?? plan.zone
        case .sink, .host, .channel: return plan.zone
        }
    }
}
