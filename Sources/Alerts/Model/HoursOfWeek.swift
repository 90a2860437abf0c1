public import DeviceKit

/// Hours of some days of the week on a wall clock: `22:00-06:00`, `mon-fri 07:00-19:00`, `sat,sun 08:00-12:00`.
public struct HoursOfWeek: Sendable, Hashable, CustomStringConvertible {
    /// Days on which the span begins: 0 is Sunday.
    private let days: Set<Int>
    /// Minutes of the day. An end at or before the start is of the next day.
    private let start: Int
    private let end: Int
    public let description: String

    private static let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// `nil` for anything that is not of the form above.
    public init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard let hours = parts.last, (1...2).contains(parts.count) else { return nil }
        guard let days = parts.count == 1 ? Set(0...6) : Self.days(parts[0]) else { return nil }
        let ends = hours.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let start = Self.minutes(ends[0], allowsMidnight: false),
            let end = Self.minutes(ends[1], allowsMidnight: true), start != end
        else { return nil }
        self.days = days
        self.start = start
        self.end = end
        description = text
    }

    private static func days(_ text: Substring) -> Set<Int>? {
        var days: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map {
                names.firstIndex(of: String($0))
            }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return nil }
            var day = first
            days.insert(day)
            while day != last {
                day = (day + 1) % 7
                days.insert(day)
            }
        }
        return days
    }

    private static func minutes(_ text: Substring, allowsMidnight: Bool) -> Int? {
        let halves = text.split(separator: ":", omittingEmptySubsequences: false)
        guard halves.count == 2,
            halves.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hour = Int(halves[0]), let minute = Int(halves[1]), minute < 60
        else { return nil }
        guard hour < 24 || (allowsMidnight && hour == 24 && minute == 0) else { return nil }
        return hour * 60 + minute
    }

    func contains(_ local: LocalDateTime) -> Bool {
        let minute = local.hour * 60 + local.minute
        let today = local.date.weekday
        if end > start { return days.contains(today) && (start..<end).contains(minute) }
        return days.contains(today) && minute >= start || days.contains((today + 6) % 7) && minute < end
    }

    /// Instants after `now`, within a little more than a week, at which the answer may change.
    fileprivate func boundaries(after now: Instant, in zone: DeviceTimeZone) -> [Instant] {
        let today = zone.localTime(at: now).startOfDay
        return (-1...8).flatMap { day in
            [start, end].map { minute in
                let local = today.advanced(bySeconds: Int64(day) * 86_400 + Int64(minute) * 60)
                switch zone.resolve(local) {
                case .unique(let instant), .gap(let instant): return instant
                case .overlap(let earlier, _): return earlier
                }
            }
        }.filter { $0 > now }
    }
}

extension [HoursOfWeek] {
    func contains(_ instant: Instant, in zone: DeviceTimeZone) -> Bool {
        let local = zone.localTime(at: instant)
        return contains { $0.contains(local) }
    }

    /// The next instant at which one of them begins or ends; `nil` without any.
    func nextBoundary(after now: Instant, in zone: DeviceTimeZone) -> Instant? {
        flatMap { $0.boundaries(after: now, in: zone) }.min()
    }
}

extension SettingType where Value == HoursOfWeek {
    /// `22:00-06:00`, `mon-fri 07:00-19:00`.
    public static var hours: SettingType<HoursOfWeek> {
        SettingType(
            name: "hours as in mon-fri 07:00-19:00", schema: .object(["type": "string"]),
            write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("hours").text
                guard let hours = HoursOfWeek(text) else {
                    throw node.error(
                        "'\(text)' is not hours of the day", code: "wrong-form",
                        hint: "write it as \"22:00-06:00\" or \"mon-fri 07:00-19:00\"")
                }
                return hours
            })
    }
}
