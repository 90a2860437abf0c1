import DeviceKit

// From alerts to incidents, and from incidents to messages.
extension AlertEngine {
    /// Brings a firing alert into the incident of its group.
    mutating func join(_ key: AlertKey) {
        guard let record = state.alerts[key], record.isFiring, record.incident == nil, !isMuted(record),
            !isSilenced(key)
        else { return }
        let group = Incident.Group(site: site(of: key.subject), cause: key.rule.cause)
        let known = state.incidents.values.filter { $0.group == group && !$0.isClosed }.min { $0.id < $1.id }
        var incident = known ?? makeIncident(group, isUrgent: key.rule.isUrgent)
        incident.members.removeAll { $0.key == key }
        incident.members.append(
            Incident.Member(
                key: key, since: record.since, severity: severity(of: record), detail: record.detail))
        state.alerts[key]?.incident = incident.id
        state.incidents[incident.id] = incident
    }

    private mutating func makeIncident(_ group: Incident.Group, isUrgent: Bool) -> Incident {
        Incident(
            id: state.takeNumber(), group: group,
            phase: .waiting(until: isUrgent ? now : now + plan.groupWait), openedAt: now)
    }

    mutating func advance(incident id: Int64) {
        guard var incident = state.incidents[id] else { return }
        if !incident.isClosed { bringUpToDate(&incident) }
        switch incident.phase {
        case .waiting(let until):
            if isDue(until) {
                // What was over before anybody heard of it is not told.
                guard !incident.open.isEmpty else { return end(incident) }
                incident.phase = .open
                tellFirst(&incident)
            }
        case .open:
            if incident.open.isEmpty {
                incident.phase = .closing(until: now + plan.groupWait)
                return finish(&incident, until: now + plan.groupWait)
            }
            tellNews(&incident)
            remind(&incident)
            escalate(&incident)
        case .closing(let until):
            guard incident.open.isEmpty else {
                incident.phase = .open
                break
            }
            return finish(&incident, until: until)
        case .closed:
            // Kept until it is known what became of its last messages.
            if state.channels.values.allSatisfy({ !$0.isSending(of: id) }) { end(incident) }
            return
        }
        state.incidents[id] = incident
    }

    private mutating func bringUpToDate(_ incident: inout Incident) {
        for index in incident.members.indices {
            var member = incident.members[index]
            let record = state.alerts[member.key]
            if let record, record.isFiring {
                if member.isOver { member.since = record.since }
                member.resolvedAt = nil
                member.wasToldResolved = false
                member.severity = severity(of: record)
                member.detail = record.detail
                member.isUnstable = record.unstableSince != nil
            } else {
                member.resolvedAt = member.resolvedAt ?? record?.since ?? now
                member.isUnstable = false
            }
            member.recovered = record?.recovered ?? member.recovered
            if member.key.subject.kind == .device, member.key.rule == .deviceOffline {
                member.isConsequence = link(ofDevice: member.key.subject.name) != nil
            }
            incident.members[index] = member
        }
    }

    private mutating func finish(_ incident: inout Incident, until: Instant) {
        let isWaitingForCounts = incident.members.contains { state.alerts[$0.key]?.awaitsEffect == true }
        guard isDue(until), !isWaitingForCounts || isDue(until + AlertPlan.longestEffectWait) else {
            state.incidents[incident.id] = incident
            return
        }
        incident.phase = .closed(now)
        tell(&incident, .resolved, to: incident.receivers)
        release(incident)
        state.incidents[incident.id] = incident
    }

    /// Its alerts may begin another one.
    private mutating func release(_ incident: Incident) {
        for key in incident.members.map(\.key) where state.alerts[key]?.incident == incident.id {
            state.alerts[key]?.incident = nil
            state.alerts[key]?.recovered = 0
        }
    }

    private mutating func end(_ incident: Incident) {
        release(incident)
        state.incidents[incident.id] = nil
        if incident.toldAt != nil { ended.append(incident) }
    }

    // MARK: Who is told

    private var steps: [EscalationStep] {
        plan.steps.isEmpty
            ? [EscalationStep(after: .zero, channels: plan.channels.map(\.name), severity: .info)] : plan.steps
    }

    private mutating func tellFirst(_ incident: inout Incident) {
        incident.toldAt = now
        incident.lastToldAt = now
        var channels: [String] = []
        for (number, step) in steps.enumerated() where step.after == .zero && incident.severity >= step.severity {
            incident.stepsDone.append(number)
            channels += step.channels
        }
        // When those who would be told are the ones who cannot be reached, everybody else is.
        let isUnheard = incident.group.cause == AlertRule.notificationsFailing.cause
        if isUnheard, channels.allSatisfy({ isAbout(incident, channel: $0) }) { channels = plan.channels.map(\.name) }
        tell(&incident, .firing, to: channels)
    }

    /// New subjects, greater severity, and a link that is back without all of its devices.
    private mutating func tellNews(_ incident: inout Incident) {
        let news = incident.members.filter(isNews)
        guard !news.isEmpty else { return }
        let told = incident.members.compactMap(\.toldSeverity).max() ?? .info
        let isGraver = news.contains { !$0.isOver && $0.severity > told }
        if isGraver { incident.acknowledgement = nil }
        guard isGraver || isDue((incident.lastToldAt ?? now) + plan.groupInterval) else { return }
        incident.lastToldAt = now
        // Channels that wanted graver ones only may want it now.
        let asked = incident.stepsDone.flatMap { $0 < steps.count ? steps[$0].channels : [] }
        tell(&incident, .update, to: incident.receivers + asked.filter { !incident.receivers.contains($0) })
    }

    private func isNews(_ member: Incident.Member) -> Bool {
        if member.isOver {
            return member.key.rule == .siteLink && member.toldSeverity != nil && !member.wasToldResolved
        }
        if member.isConsequence { return false }
        guard let told = member.toldSeverity else { return true }
        return member.severity > told || (member.isUnstable && !member.wasToldUnstable)
    }

    private mutating func remind(_ incident: inout Incident) {
        guard incident.acknowledgement == nil, let last = incident.lastToldAt else { return }
        let waits = waits(of: incident)
        guard let wait = waits.isEmpty ? nil : waits[min(incident.repeatsDone, waits.count - 1)] else { return }
        guard isDue(last + wait), isAnyoneConcerned(incident) else { return }
        incident.repeatsDone += 1
        incident.lastToldAt = now
        tell(&incident, .reminder, to: incident.receivers)
    }

    private func waits(of incident: Incident) -> [Duration] {
        let gravest = incident.open.filter { $0.severity == incident.severity }
        let own = gravest.compactMap { plan.rules[$0.key.rule]?.repeats }
        return own.first ?? plan.repeats[incident.severity] ?? []
    }

    private mutating func escalate(_ incident: inout Incident) {
        guard incident.acknowledgement == nil, let told = incident.toldAt else { return }
        for (number, step) in steps.enumerated() where !incident.stepsDone.contains(number) {
            guard incident.severity >= step.severity, isDue(told + step.after), isAnyoneConcerned(incident) else {
                continue
            }
            incident.stepsDone.append(number)
            tell(&incident, .firing, to: step.channels.filter { !incident.receivers.contains($0) })
        }
    }

    /// Silences, and alerts that explain others, may begin after an incident.
    private mutating func isAnyoneConcerned(_ incident: Incident) -> Bool {
        incident.open.contains { member in
            let isMuted = state.alerts[member.key].map { self.isMuted($0) } ?? false
            return !isMuted && !isSilenced(member.key)
        }
    }

    private mutating func tell(_ incident: inout Incident, _ kind: AlertMessage.Kind, to channels: [String]) {
        if kind != .resolved, kind != .firing, !isAnyoneConcerned(incident) { return }
        incident.messageCount += 1
        var message = AlertText(plan, host: state.host).message(incident, kind, at: now)
        for index in incident.members.indices {
            let member = incident.members[index]
            incident.members[index].toldSeverity = max(member.toldSeverity ?? member.severity, member.severity)
            incident.members[index].wasToldUnstable = member.isUnstable
            incident.members[index].wasToldResolved = member.isOver
        }
        message.breaksThrough = message.severity == .critical
        for name in channels {
            guard let channel = plan.channels.first(where: { $0.name == name }),
                kind == .resolved || (message.severity >= channel.severity && !isAbout(incident, channel: name))
            else { continue }
            if !incident.receivers.contains(name) { incident.receivers.append(name) }
            enqueue(message, to: name)
        }
    }

    /// A channel cannot tell of its own failure.
    private func isAbout(_ incident: Incident, channel: String) -> Bool {
        incident.members.contains { $0.key.subject == .channel(channel) }
    }

    // MARK: Orders

    /// - Returns: false for an incident that does not go on.
    public mutating func acknowledge(_ id: Int64, by person: String, at moment: AlertMoment) -> Bool {
        take([], at: moment)
        guard state.incidents[id] != nil else { return false }
        state.incidents[id]?.acknowledgement = Incident.Acknowledgement(by: person, at: now)
        return true
    }

    /// - Returns: its number.
    public mutating func silence(
        _ rule: AlertRule?, _ subject: AlertSubject?, for duration: Duration, by person: String, why: String,
        at moment: AlertMoment
    ) -> Int64 {
        take([], at: moment)
        let id = state.takeNumber()
        state.silences[id] = Silence(
            id: id, rule: rule, subject: subject, until: now + duration, by: person, why: why)
        return id
    }

    /// - Returns: false for a silence that there is not.
    public mutating func endSilence(_ id: Int64) -> Bool { state.silences.removeValue(forKey: id) != nil }
}
