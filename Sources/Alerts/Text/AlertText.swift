public import DeviceKit

/// Makes messages of incidents: plain text, the same facts for programs, no secret and nobody's name.
struct AlertText: Sendable {
    private let plan: AlertPlan
    private let host: String

    /// Names that a message lists before it counts the rest.
    static let mostListed = 10

    init(_ plan: AlertPlan, host: String) {
        self.plan = plan
        self.host = host
    }

    func message(_ incident: Incident, _ kind: AlertMessage.Kind, at now: Instant) -> AlertMessage {
        let view = View(incident, kind, plan)
        var message = AlertMessage(
            id: "\(host).\(incident.id).\(incident.messageCount)", kind: kind, severity: incident.severity,
            incident: incident.id, thread: "\(host).\(incident.id)", title: title(view, at: now),
            text: text(view, at: now), at: now)
        message.site = incident.group.site
        message.cause = incident.group.cause
        message.since = incident.since
        message.acknowledgedBy = incident.acknowledgement?.by
        message.itemCount = view.items.count
        message.resolvedCount = view.items.count { $0.isOver }
        message.recovered = incident.recovered
        message.items = view.items.prefix(AlertMessage.mostItems).map { member in
            AlertMessage.Item(
                rule: member.key.rule, subject: member.key.subject, name: name(member.key.subject),
                severity: member.severity, detail: member.detail, since: member.since, resolvedAt: member.resolvedAt,
                recovered: member.recovered)
        }
        return message
    }

    /// What a message tells of an incident.
    private struct View {
        let incident: Incident
        let kind: AlertMessage.Kind
        /// The dead link, when it was one.
        let link: Incident.Member?
        /// Without the link: it is told in the title.
        let items: [Incident.Member]
        let rule: AlertRule
        let zone: DeviceTimeZone

        init(_ incident: Incident, _ kind: AlertMessage.Kind, _ plan: AlertPlan) {
            self.incident = incident
            self.kind = kind
            link = incident.members.first { $0.key.rule == .siteLink }
            items = incident.members.filter { $0.key.rule != .siteLink }.sorted { $0.key < $1.key }
            let isLink = link.map { kind == .resolved || !$0.isOver } ?? false
            rule = isLink ? .siteLink : items.first?.key.rule ?? link?.key.rule ?? .deviceOffline
            let device = items.first { $0.key.subject.kind == .device }?.key.subject.name
            zone = device.flatMap { plan.devices[$0]?.zone } ?? plan.zone
        }

        var isOver: Bool { kind == .resolved }
        var open: [Incident.Member] { items.filter { !$0.isOver } }
    }

    // MARK: Titles

    private func title(_ view: View, at now: Instant) -> String {
        let head =
            switch view.kind {
            case .firing, .update: "\(view.incident.severity.rawValue.uppercased()): "
            case .reminder: "STILL \(view.incident.severity.rawValue.uppercased()): "
            case .resolved: "RESOLVED: "
            case .digest, .test: ""
            }
        return head + sentence(view, at: now)
    }

    private func sentence(_ view: View, at now: Instant) -> String {
        let words = RuleText.of(view.rule)
        let site = view.incident.group.site
        if view.isOver {
            let away = DurationWords.text(end(view.incident, now) - view.incident.since)
            let effect = isAboutReading(view) ? "; \(recovered(view.incident.recovered))" : ""
            if view.rule == .siteLink {
                return "\(site ?? "the site") has its link again after \(away): "
                    + "\(DurationWords.count(view.items.count, "device", "devices")) back\(effect)"
            }
            let isOne = view.items.count == 1
            return "\(subjects(view.items, site)) \(isOne ? words.over : words.overs) after \(away)\(effect)"
        }
        if view.rule == .siteLink, let site {
            let all = plan.devices.values.count { $0.site == site }
            return "\(site) has no link: \(view.open.count) of \(all) devices cannot be reached"
        }
        let open = view.open
        if let link = view.link, link.isOver {
            return "\(site ?? "the site") has its link again, but \(subjects(open, nil)) \(words.states)"
        }
        if open.count == 1, open[0].isUnstable { return "\(subjects(open, site)) is unstable: it comes and goes" }
        if !open.isEmpty, open.allSatisfy(\.isUnstable) {
            return "\(subjects(open, site)) are unstable: they come and go"
        }
        return "\(subjects(open, site)) \(open.count == 1 ? words.state : words.states)"
    }

    /// `Gate 2 (Building A)`, `3 devices at Building A`.
    private func subjects(_ members: [Incident.Member], _ site: String?) -> String {
        guard let first = members.first else { return "nothing" }
        if members.count == 1 {
            let place = site.map { " (\($0))" } ?? ""
            return name(first.key.subject) + (first.key.subject.kind == .device ? place : "")
        }
        let what =
            switch first.key.subject.kind {
            case .device: "devices"
            case .sink: "sinks"
            case .channel: "channels"
            case .site: "sites"
            case .host: "things of this host"
            }
        return "\(members.count) \(what)" + (site.map { " at \($0)" } ?? "")
    }

    private func name(_ subject: AlertSubject) -> String {
        switch subject.kind {
        case .device: plan.devices[subject.name]?.name ?? subject.name
        case .site: subject.name
        case .sink: "the sink \(subject.name)"
        case .channel: "the channel \(subject.name)"
        case .host: "this host"
        }
    }

    private func isAboutReading(_ view: View) -> Bool { view.items.contains { $0.key.rule == .deviceOffline } }

    private func recovered(_ count: Int) -> String { "\(DurationWords.count(count, "punch", "punches")) recovered" }

    private func end(_ incident: Incident, _ now: Instant) -> Instant {
        incident.open.isEmpty ? incident.members.compactMap(\.resolvedAt).max() ?? now : now
    }

    // MARK: Texts

    private func text(_ view: View, at now: Instant) -> String {
        let words = RuleText.of(view.rule)
        var rows: [(String, String)] = [("Since", clock(view.incident.since, view.zone))]
        if view.isOver { rows.append(("Until", clock(end(view.incident, now), view.zone))) }
        if let site = view.incident.group.site { rows.append(("Site", site)) }
        rows.append((label(view), list(view.isOver ? view.items : view.open)))
        if !view.isOver, view.open.count < view.items.count {
            rows.append(("Back", list(view.items.filter(\.isOver))))
        }
        if let detail = detail(view) { rows.append(("Seen", detail)) }
        if isAboutReading(view), view.isOver || view.incident.recovered > 0 {
            rows.append(("Recovered", DurationWords.count(view.incident.recovered, "punch", "punches")))
        }
        if !view.isOver { rows += [("Effect", words.effect), ("Cause", words.cause), ("To do", words.remedy)] }
        if let acknowledgement = view.incident.acknowledgement { rows.append(("Taken by", acknowledgement.by)) }
        let order =
            view.isOver || view.incident.acknowledgement != nil ? "" : " (muster alerts ack \(view.incident.id))"
        rows.append(("Incident", "\(view.incident.id)\(order)"))
        return rows.map { "\(Self.padded($0.0))\($0.1)\n" }.joined()
    }

    private func label(_ view: View) -> String {
        switch view.items.first?.key.subject.kind {
        case .sink: "Sink"
        case .channel: "Channel"
        case .host: "Host"
        case .device, .site, nil: view.items.count == 1 ? "Device" : "Devices"
        }
    }

    private func list(_ members: [Incident.Member]) -> String {
        let names = members.prefix(Self.mostListed).map { member in
            let name = name(member.key.subject)
            let id = member.key.subject.name
            return member.key.subject.kind == .device && name != id ? "\(name) (\(id))" : name
        }
        let rest = members.count - names.count
        return names.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
    }

    /// What was seen, once, when the members agree on it or there is one only.
    private func detail(_ view: View) -> String? {
        let details = Set((view.isOver ? view.items : view.open).map(\.detail).filter { !$0.isEmpty })
        guard let first = details.sorted().first, !view.isOver else { return nil }
        return details.count == 1 ? first : "\(first); and others"
    }

    /// `2026-11-25 18:02:11 (Asia/Ho_Chi_Minh)`.
    private func clock(_ instant: Instant, _ zone: DeviceTimeZone) -> String {
        "\(zone.localTime(at: instant)) (\(zone))"
    }

    private static func padded(_ label: String) -> String {
        label + String(repeating: " ", count: max(10 - label.count, 1))
    }

    // MARK: Digests

    /// One message for several: each incident once, as it last was.
    func digest(
        _ messages: [AlertMessage], number: Int64, dropped: Int, zone: DeviceTimeZone, at now: Instant
    ) -> AlertMessage {
        var last: [Int64: AlertMessage] = [:]
        for message in messages { if let incident = message.incident { last[incident] = message } }
        let latest = last.values.sorted { ($0.at, $0.incident ?? 0) < ($1.at, $1.incident ?? 0) }
        let lines = latest.map { "\(zone.localTime(at: $0.at))  \($0.title)\n" }
        let open = latest.filter { $0.kind != .resolved }
        let id = "\(host).digest.\(number)"
        var message = AlertMessage(
            id: id, kind: .digest, severity: latest.map(\.severity).max() ?? .info, thread: id,
            title: "\(DurationWords.count(latest.count, "incident", "incidents")) since the last message, "
                + "\(open.count) of them still open",
            text: lines.joined()
                + (dropped > 0 ? "and \(DurationWords.count(dropped, "message", "messages")) before these\n" : "")
                + "Times are of \(zone).\n", at: now)
        message.items = latest.flatMap(\.items).prefix(AlertMessage.mostItems).map { $0 }
        message.itemCount = latest.reduce(0) { $0 + $1.itemCount }
        message.resolvedCount = latest.reduce(0) { $0 + $1.resolvedCount }
        message.recovered = latest.reduce(0) { $0 + $1.recovered }
        return message
    }

    /// Shows whether a channel that failed works again.
    func probe(_ channel: ChannelPlan, _ record: ChannelRecord, number: Int64, at now: Instant) -> AlertMessage {
        let id = "\(host).probe.\(number)"
        let since = record.failingSince.map { " since \(clock($0, channel.zone))" } ?? ""
        let count = DurationWords.count(record.handedOver, "message", "messages")
        return AlertMessage(
            id: id, kind: .test, severity: .info, thread: id, title: "Messages come through this channel again",
            text:
                "It did not deliver\(since). \(count) went through \(channel.fallback ?? "another channel") instead.\n",
            at: now)
    }
}

extension AlertMessage {
    /// What `muster alerts test` sends.
    public static func test(channel: String, host: String, at now: Instant) -> AlertMessage {
        let id = "\(host).test.\(now.millisecondsSince1970)"
        return AlertMessage(
            id: id, kind: .test, severity: .info, thread: id, title: "Test message of Muster",
            text: "The channel \(channel) works: alerts will arrive here.\n", at: now)
    }
}
