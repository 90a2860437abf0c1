internal import ArgumentParser
internal import DeviceKit

/// A moment as people write it: `2026-11-24T08:00:00Z`, `2026-11-24 08:00`, `2026-11-24`, `today`, `yesterday`, `-2h`.
struct TimeArgument: ExpressibleByArgument, Sendable, Hashable {
    private enum Form: Hashable {
        case instant(Instant)
        case local(LocalDateTime)
        case daysAgo(Int64)
        case ago(Duration)
    }

    private let form: Form

    init?(argument: String) {
        if let instant = Instant(rfc3339: argument) {
            form = .instant(instant)
        } else if let local = LocalDateTime(argument) ?? LocalDateTime("\(argument) 00:00") {
            form = .local(local)
        } else if argument == "today" {
            form = .daysAgo(0)
        } else if argument == "yesterday" {
            form = .daysAgo(1)
        } else if argument.hasPrefix("-"), let ago = DurationText.parse(String(argument.dropFirst())) {
            form = .ago(ago)
        } else {
            return nil
        }
    }

    /// - Parameter zone: of times that name none.
    func instant(in zone: DeviceTimeZone, now: Instant) -> Instant {
        switch form {
        case .instant(let instant): return instant
        case .local(let local): return Self.instant(of: local, in: zone)
        case .ago(let duration): return now - duration
        case .daysAgo(let days):
            let day = zone.localTime(at: now).startOfDay.advanced(bySeconds: -86_400 * days)
            return Self.instant(of: day, in: zone)
        }
    }

    private static func instant(of local: LocalDateTime, in zone: DeviceTimeZone) -> Instant {
        switch zone.resolve(local) {
        case .unique(let instant), .gap(let instant): instant
        case .overlap(let earlier, _): earlier
        }
    }
}
