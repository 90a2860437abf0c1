internal import Alerts
internal import DeviceKit
internal import MusterHost

/// Silences for people and programs.
struct SilenceListing {
    private let zone: DeviceTimeZone

    init(_ configuration: HostConfiguration) { zone = configuration.devices.first?.zone ?? .utc }

    func listing(_ silences: [Alerts.Silence]) -> Listing {
        var listing = Listing([
            ("silence", .init(title: "SILENCE", isNumber: true)), ("rule", .init(title: "RULE")),
            ("subject", .init(title: "SUBJECT")), ("until", .init(title: "UNTIL")), ("by", .init(title: "BY")),
            ("why", .init(title: "WHY", mayShrink: true)),
        ])
        for silence in silences {
            let subject = silence.subject.map { "\($0.kind.rawValue) \($0.name)" }
            var json = JSONObjectWriter()
            json.member("silence", silence.id)
            json.member("rule", silence.rule?.rawValue)
            json.member("kind", silence.subject?.kind.rawValue)
            json.member("subject", silence.subject?.name)
            json.member("until", silence.until.description)
            json.member("by", silence.by)
            json.member("why", silence.why)
            listing.add(
                [
                    String(silence.id), silence.rule?.rawValue ?? "all", subject ?? "everything",
                    zone.localTime(at: silence.until).description, silence.by, silence.why,
                ], json: json.finish())
        }
        return listing
    }
}
