internal import DeviceKit

/// When somebody works. Times are seconds after the midnight that begins the working day; a night shift ends on the
/// next one.
enum Shift: Sendable {
    case office, early, late, night

    /// As often as they are among people: seven of ten work in the office.
    static let all: [Shift] = Array(repeating: .office, count: 7) + [.early, .late, .night]

    /// One punch of a working day.
    struct Event: Sendable, Hashable {
        let second: Int
        let direction: Direction
    }

    /// What one person does on one day: nothing at all on most weekends and now and then otherwise; a lunch for most;
    /// once in a while the way out is forgotten. Events are at least twenty minutes apart.
    func events(isWeekend: Bool, using chance: inout SplitMix64) -> [Event] {
        let presence = isWeekend ? (self == .office ? 0.03 : 0.3) : 0.94
        guard Double.random(in: 0..<1, using: &chance) < presence else { return [] }
        let begin = beginning + Self.wobble(before: 20 * 60, after: 15 * 60, using: &chance)
        let end = beginning + length + Self.wobble(before: 5 * 60, after: 75 * 60, using: &chance)
        let lunch = beginning + 4 * 3_600 + Int.random(in: -1_800...1_800, using: &chance)
        let back = lunch + Int.random(in: 25 * 60...60 * 60, using: &chance)
        var events = [Event(second: begin, direction: .workIn)]
        if Double.random(in: 0..<1, using: &chance) < 0.85 {
            events += [Event(second: lunch, direction: .lunchOut), Event(second: back, direction: .lunchIn)]
        }
        if Double.random(in: 0..<1, using: &chance) < 0.97 {
            events.append(Event(second: end, direction: .workOut))
        }
        return events
    }

    private var beginning: Int {
        switch self {
        case .office: 8 * 3_600 + 1_800
        case .early: 6 * 3_600
        case .late: 14 * 3_600
        case .night: 22 * 3_600
        }
    }

    private var length: Int { self == .office ? 9 * 3_600 : 8 * 3_600 }

    /// Most come close to the time, some much earlier or later: the sum of two draws.
    private static func wobble(before: Int, after: Int, using chance: inout SplitMix64) -> Int {
        (Int.random(in: -before...after, using: &chance) + Int.random(in: -before...after, using: &chance)) / 2
    }
}

extension Direction {
    /// The numbers that most terminals use.
    static let workIn = Direction(.in, raw: 0)
    static let workOut = Direction(.out, raw: 1)
    static let lunchOut = Direction(.breakOut, raw: 2)
    static let lunchIn = Direction(.breakIn, raw: 3)
}
