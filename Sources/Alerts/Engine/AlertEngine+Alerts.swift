import DeviceKit

// The life of one alert: calm, pending while the condition has not held long enough, firing, unstable.
extension AlertEngine {
    mutating func take(_ signal: AlertSignal) {
        guard isKnown(signal.key), let rule = plan.rules[signal.key.rule] else { return }
        switch signal.state {
        case .active(let severity): begin(signal, severity ?? rule.severity)
        case .measured(let value):
            if let severity = rule.severity(of: value) {
                begin(signal, severity)
            } else {
                cease(signal.key, awaitsEffect: false)
            }
        case .happened(let lasting):
            begin(signal, rule.severity)
            state.alerts[signal.key]?.expiresAt = now + lasting
        case .clear(let awaitsEffect): cease(signal.key, awaitsEffect: awaitsEffect)
        case .effect(let punches):
            guard state.alerts[signal.key]?.awaitsEffect == true else { return }
            state.alerts[signal.key]?.recovered += max(punches, 0)
            state.alerts[signal.key]?.awaitsEffect = false
        }
    }

    private mutating func begin(_ signal: AlertSignal, _ severity: AlertSeverity) {
        var record = state.alerts[signal.key] ?? AlertRecord(signal.key, since: now)
        if record.severity == nil {
            record.since = min(signal.since ?? now, now)
            record.isOverdue = false
            record.awaitsEffect = false
            record.changes.append(now)
        }
        record.severity = severity
        record.leastHold = signal.leastHold
        if !signal.detail.isEmpty { record.detail = signal.detail }
        state.alerts[signal.key] = record
    }

    mutating func cease(_ key: AlertKey, awaitsEffect: Bool) {
        guard var record = state.alerts[key], record.isActive else { return }
        record.severity = nil
        record.since = now
        record.expiresAt = nil
        record.isOverdue = false
        record.awaitsEffect = awaitsEffect && (record.isFiring || record.incident != nil)
        record.changes.append(now)
        state.alerts[key] = record
    }

    /// Subjects that are no longer configured, and rules that were switched off.
    mutating func endUnknown() {
        for key in state.alerts.keys where !isKnown(key) {
            cease(key, awaitsEffect: false)
            state.alerts[key]?.unstableSince = nil
            state.alerts[key]?.changes = []
        }
        for name in state.channels.keys where !plan.channels.contains(where: { $0.name == name }) {
            state.channels[name] = nil
        }
    }

    /// What time alone does to an alert, before it is known who mutes whom.
    mutating func settle(_ key: AlertKey) {
        guard var record = state.alerts[key] else { return }
        if let expires = record.expiresAt, isDue(expires) {
            cease(key, awaitsEffect: false)
            record = state.alerts[key] ?? record
        }
        let flapping = plan.flapping
        if record.unstableSince == nil {
            record.changes.removeAll { $0 + flapping.within <= now }
            if record.changes.count > flapping.changes { record.unstableSince = now }
        } else if let last = record.changes.last, isDue(last + flapping.calm) {
            record.unstableSince = nil
            record.changes = []
        } else {
            // The last one decides when it is calm; more than a few are of no use.
            record.changes = Array(record.changes.suffix(flapping.changes + 1))
        }
        state.alerts[key] = record
    }

    /// What the site's links say is known now.
    mutating func fire(_ key: AlertKey) {
        guard var record = state.alerts[key], let rule = plan.rules[key.rule] else { return }
        if record.unstableSince != nil {
            record.firedAt = record.firedAt ?? now
        } else if record.isActive {
            let isExplained = key.rule == .deviceOffline && link(ofDevice: key.subject.name)?.isFiring == true
            if record.firedAt == nil, isExplained || (isWithinHours(key) && isDue(record.since + hold(record))) {
                record.firedAt = now
            }
        } else {
            record.firedAt = nil
        }
        if record.isActive, !record.isOverdue, let after = rule.criticalAfter, isDue(record.since + after) {
            record.isOverdue = isWithinHours(key)
        }
        state.alerts[key] = record
    }

    func hold(_ record: AlertRecord) -> Duration {
        guard let rule = plan.rules[record.key.rule] else { return .zero }
        return rule.holdFor ?? max(rule.usualHold, record.leastHold ?? .zero)
    }

    /// Outside of its hours a device may be away.
    private mutating func isWithinHours(_ key: AlertKey) -> Bool {
        guard let hours = plan.rules[key.rule]?.hours, !hours.isEmpty else { return true }
        let zone = zone(of: key.subject)
        if hours.contains(now, in: zone) { return true }
        if let next = hours.nextBoundary(after: now, in: zone) { _ = isDue(next) }
        return false
    }

    func severity(of record: AlertRecord) -> AlertSeverity {
        if record.isOverdue { return .critical }
        // Unstable and well at the moment: what it last was is what it may be again.
        return record.severity ?? plan.rules[record.key.rule]?.severity ?? .warning
    }

    /// Nothing of it is needed any more.
    func isForgettable(_ record: AlertRecord) -> Bool {
        !record.isActive && !record.isFiring && record.incident == nil && record.unstableSince == nil
            && (record.changes.last.map { $0 + plan.flapping.within <= now } ?? true)
    }

    // MARK: Consequences

    /// Another alert explains this one.
    func isMuted(_ record: AlertRecord) -> Bool {
        let rule = record.key.rule
        let subject = record.key.subject
        func holds(_ rules: [AlertRule], _ subject: AlertSubject) -> Bool {
            rules.contains { state.alerts[AlertKey($0, subject)]?.isActive == true }
        }
        switch subject.kind {
        case .device:
            return holds(rule.mutedByOfDevice, subject) || holds(rule.mutedByOfHost, .host)
                || (rule != .deviceOffline && link(ofDevice: subject.name) != nil)
        case .sink: return holds(rule.mutedByOfSink, subject) || holds(rule.mutedByOfHost, .host)
        case .host: return holds(rule.mutedByOfHost, .host)
        case .site, .channel: return false
        }
    }

    /// The dead link that a device is behind.
    func link(ofDevice name: String) -> AlertRecord? {
        guard let site = plan.devices[name]?.site, let link = state.alerts[AlertKey(.siteLink, .site(site))],
            link.isActive, link.devices.contains(name)
        else { return nil }
        return link
    }

    mutating func isSilenced(_ key: AlertKey) -> Bool {
        let site = site(of: key.subject)
        let matching = state.silences.values.filter { silence in
            guard silence.rule == nil || silence.rule == key.rule else { return false }
            guard let subject = silence.subject else { return true }
            return subject == key.subject || (subject.kind == .site && subject.name == site)
        }
        guard let longest = matching.map(\.until).max() else { return false }
        return !isDue(longest)
    }
}
