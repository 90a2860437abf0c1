internal import Alerts
internal import DeviceKit
internal import MusterHost

/// Incidents for people and programs.
struct IncidentListing {
    private let configuration: HostConfiguration

    init(_ configuration: HostConfiguration) { self.configuration = configuration }

    func listing(_ incidents: [Incident]) -> Listing {
        var listing = Listing([
            ("incident", .init(title: "INCIDENT", isNumber: true)), ("severity", .init(title: "SEVERITY")),
            ("since", .init(title: "SINCE")), ("until", .init(title: "UNTIL")), ("site", .init(title: "SITE")),
            ("cause", .init(title: "CAUSE")), ("subjects", .init(title: "SUBJECTS", isNumber: true)),
            ("told", .init(title: "TOLD")), ("note", .init(title: "NOTE", mayShrink: true)),
        ])
        for incident in incidents { listing.add(cells(incident), json: json(incident)) }
        return listing
    }

    private func cells(_ incident: Incident) -> [String] {
        let zone = zone(incident)
        let subjects = incident.members.filter { $0.key.rule != .siteLink }
        let open = subjects.filter { !$0.isOver }
        var notes = subjects.prefix(3).map(\.key.subject.name).filter { !$0.isEmpty }
        if subjects.count > notes.count, !notes.isEmpty { notes.append("…") }
        var note = notes.joined(separator: ", ")
        if let acknowledgement = incident.acknowledgement { note = "looked after by \(acknowledgement.by); \(note)" }
        if incident.isClosed, incident.recovered > 0 { note = "\(incident.recovered) punches recovered; \(note)" }
        let count =
            incident.isClosed || open.count == subjects.count ? "\(subjects.count)" : "\(open.count)/\(subjects.count)"
        return [
            String(incident.id), incident.severity.rawValue, zone.localTime(at: incident.since).description,
            end(incident).map { zone.localTime(at: $0).description } ?? "", incident.group.site ?? "",
            incident.group.cause, count, incident.receivers.joined(separator: ","), note,
        ]
    }

    private func json(_ incident: Incident) -> RawJSON {
        var json = JSONObjectWriter()
        json.member("incident", incident.id)
        json.member("severity", incident.severity.rawValue)
        json.member(
            "state", incident.isClosed ? "resolved" : incident.acknowledgement == nil ? "firing" : "acknowledged")
        json.member("site", incident.group.site)
        json.member("cause", incident.group.cause)
        json.member("since", incident.since.description)
        json.member("until", end(incident)?.description)
        json.member("told_at", incident.toldAt?.description)
        json.member("told", array(incident.receivers.map { .string($0) }))
        json.member("acknowledged_by", incident.acknowledgement?.by)
        json.member("acknowledged_at", incident.acknowledgement?.at.description)
        json.member("recovered_punches", incident.recovered)
        json.member("alerts", array(incident.members.map(member)))
        json.member("deliveries", array(incident.deliveries.map(delivery)))
        return json.finish()
    }

    private func member(_ member: Incident.Member) -> JSONNode {
        .object([
            "rule": .string(member.key.rule.rawValue), "kind": .string(member.key.subject.kind.rawValue),
            "subject": .string(member.key.subject.name), "severity": .string(member.severity.rawValue),
            "detail": .string(member.detail), "since": .string(member.since.description),
            "resolved_at": member.resolvedAt.map { .string($0.description) } ?? .null,
            "unstable": .bool(member.isUnstable), "recovered_punches": .integer(member.recovered),
        ])
    }

    private func delivery(_ delivery: Incident.Delivery) -> JSONNode {
        .object([
            "at": .string(delivery.at.description), "channel": .string(delivery.channel),
            "kind": .string(delivery.kind.rawValue), "error": delivery.error.map { .string($0) } ?? .null,
        ])
    }

    private func array(_ nodes: [JSONNode]) -> RawJSON { RawJSON(trusted: JSONNode.array(nodes).text()) }

    private func end(_ incident: Incident) -> Instant? {
        incident.isClosed ? incident.members.compactMap(\.resolvedAt).max() : nil
    }

    private func zone(_ incident: Incident) -> DeviceTimeZone {
        let name = incident.members.first { $0.key.subject.kind == .device }?.key.subject.name
        let device = name.flatMap { DeviceID($0) }.flatMap { configuration[device: $0] }
        return (device ?? configuration.devices.first)?.zone ?? .utc
    }
}
