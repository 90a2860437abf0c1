internal import DeviceKit
internal import Synchronization

/// The punches of the shifts, day by day. A day is a function of the plan and the day's number alone, so a log never
/// changes between two runs. Days that were worked out are kept, a few at a time.
final class Roster: Sendable {
    struct Entry: Sendable {
        /// Seconds since 1970-01-01 00:00:00 of the working days' wall clock.
        let wallSecond: Int64
        let member: Int
        let direction: Direction
    }

    private let plan: SimulationPlan
    private let crew: Crew
    private let kept = Mutex<[Int64: [Entry]]>([:])

    private static let maximumKeptDays = 16

    init(_ plan: SimulationPlan, crew: Crew) {
        self.plan = plan
        self.crew = crew
    }

    /// Entries in a span of the working days' wall clock, by time.
    func entries(in span: Range<Int64>) -> [Entry] {
        // A night shift that began the day before ends in the span.
        let first = span.lowerBound.flooredQuotient(dividingBy: 86_400) - 1
        let last = (span.upperBound - 1).flooredQuotient(dividingBy: 86_400)
        return (first...max(first, last)).flatMap { number in
            let day = day(number)
            return day[Self.place(span.lowerBound, in: day)..<Self.place(span.upperBound, in: day)]
        }
    }

    private func day(_ number: Int64) -> [Entry] {
        if let day = kept.withLock({ $0[number] }) { return day }
        let day = makeDay(number)
        kept.withLock { days in
            if days.count >= Self.maximumKeptDays { days.removeAll() }
            days[number] = day
        }
        return day
    }

    private func makeDay(_ number: Int64) -> [Entry] {
        let weekday = CivilDate(daysSince1970: Int(number)).weekday
        let dayKey = Chance.key(plan.seed, Chance.key(plan.device.name), UInt64(bitPattern: number))
        let entries = crew.members.enumerated().flatMap { index, member in
            var chance = SplitMix64(seed: Chance.key(dayKey, UInt64(index)))
            return member.shift.events(isWeekend: weekday == 0 || weekday == 6, using: &chance).map { event in
                Entry(wallSecond: number * 86_400 + Int64(event.second), member: index, direction: event.direction)
            }
        }
        return entries.sorted { ($0.wallSecond, $0.member) < ($1.wallSecond, $1.member) }
    }

    /// The index of the first entry at or after a second.
    private static func place(_ second: Int64, in day: [Entry]) -> Int {
        var low = 0
        var high = day.count
        while low < high {
            let middle = (low + high) / 2
            if day[middle].wallSecond < second { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
