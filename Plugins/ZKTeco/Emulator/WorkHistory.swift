internal import DeviceKit

/// Invents the past of a terminal: working days on which people come, break and leave.
///
/// Seeded: the same people, count, seed and end give the same records. Per person the times strictly increase, so no two
/// records share person and second.
struct WorkHistory {
    /// How many records, 0 or more.
    let recordCount: Int
    let people: [EmulatedPerson]
    let seed: UInt64
    /// The newest record is not later than this.
    let end: LocalDateTime

    /// More working days than this would reach back before the year 2000; people punch more often instead.
    private static let longestHistory = 1_500

    /// Oldest first.
    func records() -> [EmulatedRecord] {
        guard recordCount > 0, !people.isEmpty else { return [] }
        var random = SplitMix64(seed: seed)
        let perDay = max(2, (recordCount - 1) / (people.count * Self.longestHistory) + 1)
        var days: [[EmulatedRecord]] = []
        var collected = 0
        var day = end.startOfDay
        while collected < recordCount {
            if (1...5).contains(day.date.weekday) {
                let records = workingDay(day, punchesPerPerson: perDay, using: &random)
                collected += records.count
                days.append(records)
            }
            day = day.advanced(bySeconds: -86_400)
        }
        return Array(days.reversed().joined().suffix(recordCount))
    }

    /// One day in order of time. A first day that has only begun may be empty.
    private func workingDay(
        _ day: LocalDateTime, punchesPerPerson: Int, using random: inout SplitMix64
    ) -> [EmulatedRecord] {
        var moments: [Moment] = []
        moments.reserveCapacity(people.count * (punchesPerPerson + 1))
        let latest = end.wallSeconds - day.wallSeconds
        for person in people.indices {
            let goesOutForLunch = punchesPerPerson == 2 && random.next() % 3 == 0
            let slots = goesOutForLunch ? 4 : punchesPerPerson
            for slot in 0..<slots {
                let second = secondOfDay(slot: slot, of: slots, using: &random)
                if second <= latest { moments.append(Moment(second: second, person: person, slot: slot, slots: slots)) }
            }
        }
        moments.sort { ($0.second, $0.person) < ($1.second, $1.person) }
        return moments.map { record($0, day: day) }
    }

    private struct Moment {
        let second: Int64
        let person: Int
        let slot: Int
        let slots: Int
    }

    /// Two a day are in and out, four add lunch, and any other number is spread from 06:00 to 22:00. Slots of one person
    /// never overlap, so times increase.
    private func secondOfDay(slot: Int, of slots: Int, using random: inout SplitMix64) -> Int64 {
        let window: ClosedRange<Int64>
        switch (slots, slot) {
        case (2, 0), (4, 0): window = 27_600...30_300  // 07:40 to 08:25
        case (2, _), (4, 3): window = 60_900...64_800  // 16:55 to 18:00
        case (4, 1): window = 43_200...44_400  // 12:00 to 12:20
        case (4, 2): window = 46_200...47_100  // 12:50 to 13:05
        default:
            let width = 57_600 / Int64(slots)
            let start = 21_600 + Int64(slot) * width
            window = start...start + max(width - 1, 0)
        }
        return window.lowerBound + Int64(random.next() % UInt64(window.upperBound - window.lowerBound + 1))
    }

    private func record(_ moment: Moment, day: LocalDateTime) -> EmulatedRecord {
        let person = people[moment.person]
        let state: UInt8
        switch (moment.slots, moment.slot) {
        case (4, 1): state = 2  // break out
        case (4, 2): state = 3  // break in
        default: state = moment.slot % 2 == 0 ? 0 : 1
        }
        return EmulatedRecord(
            uid: person.uid, code: person.code, localTime: day.advanced(bySeconds: moment.second),
            verification: Self.habit(of: person.uid), state: state)
    }

    /// Most people use a finger, some a card (4) or their face (15), always the same way.
    static func habit(of uid: UInt16) -> UInt8 {
        switch uid % 5 {
        case 3: 4
        case 4: 15
        default: 1
        }
    }
}
