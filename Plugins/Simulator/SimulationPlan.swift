public import DeviceKit

/// Everything that decides what a simulated terminal holds at a given moment. Equal plans give equal logs, on every
/// machine and in every run: that is what makes the simulator a judge.
public struct SimulationPlan: Sendable, Hashable {
    public let device: DeviceID
    public let timeZone: DeviceTimeZone
    public let seed: UInt64
    /// 1...``maximumPeople``.
    public let people: Int
    /// Punches that come evenly, day and night, besides those of the shifts.
    public let pace: Pace?
    /// How many working days pass in one day: 24 makes every hour a whole day of mornings, lunches and evenings.
    public let workingDaysPerDay: Int
    /// How far the terminal's clock is ahead of the time; negative when it is behind.
    public let clockSkewSeconds: Int64
    /// How many whole days before today the log begins.
    public let historyDays: Int
    /// Nothing happened before this reading of a right clock; `nil` when only ``historyDays`` counts.
    public let start: LocalDateTime?

    public static let maximumPeople = 10_000

    public init(
        device: DeviceID, timeZone: DeviceTimeZone = .utc, seed: UInt64 = 1, people: Int = 50, pace: Pace? = nil,
        workingDaysPerDay: Int = 1, clockSkewSeconds: Int64 = 0, historyDays: Int = 7, start: LocalDateTime? = nil
    ) {
        self.device = device
        self.timeZone = timeZone
        self.seed = seed
        self.people = min(max(people, 1), Self.maximumPeople)
        self.pace = pace
        self.workingDaysPerDay = max(workingDaysPerDay, 1)
        self.clockSkewSeconds = clockSkewSeconds
        self.historyDays = max(historyDays, 0)
        self.start = start
    }

    /// `SIM-` and eight hexadecimal digits. Another seed, another crew or another pace is another terminal, because its
    /// log is another one.
    public var serialNumber: String {
        var key = Chance.key(seed, Chance.key(device.name), UInt64(people), UInt64(workingDaysPerDay))
        if let pace { key = Chance.key(key, UInt64(pace.count), UInt64(pace.milliseconds)) }
        let digits = String(key >> 32, radix: 16, uppercase: true)
        return "SIM-" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Where the log begins when it is read at `now`: it moves on at midnight, as old records give way to new ones.
    func beginning(at now: Instant) -> Instant {
        let today = timeZone.localTime(at: now).startOfDay
        let oldest = timeZone.earliestInstant(of: today.advanced(bySeconds: -86_400 * Int64(historyDays)))
        return start.map { max(timeZone.earliestInstant(of: $0), oldest) } ?? oldest
    }
}

/// A number of punches in a length of time, both exact, so that the millionth punch still comes when it should.
public struct Pace: Sendable, Hashable {
    /// 1 or more.
    public let count: Int64
    public let milliseconds: Int64

    /// `nil` for a rate of zero, and for one so slow that less than one punch comes in 1,000 units of it.
    public init?(_ rate: Rate) {
        let unit: Int64 =
            switch rate.unit {
            case .second: 1_000
            case .minute: 60_000
            case .hour: 3_600_000
            case .day: 86_400_000
            }
        let thousandths = (rate.count * 1_000).rounded()
        guard thousandths >= 1, thousandths <= 1e12 else { return nil }
        count = Int64(thousandths)
        milliseconds = unit * 1_000
    }

    /// The ordinal of the first punch at or after an instant, counted from 1970.
    func firstOrdinal(notBefore instant: Instant) -> Int64 {
        let product = Int128(instant.millisecondsSince1970) * Int128(count)
        let (quotient, remainder) = product.quotientAndRemainder(dividingBy: Int128(milliseconds))
        return Int64(clamping: remainder > 0 ? quotient + 1 : quotient)
    }

    func instant(ofOrdinal ordinal: Int64) -> Instant {
        let product = Int128(ordinal) * Int128(milliseconds)
        return Instant(millisecondsSince1970: Int64(clamping: product / Int128(count)))
    }

    /// Whether more punches fall into one second than there are people to make them.
    func exceeds(people: Int) -> Bool { Int128(count) * 1_000 > Int128(people) * Int128(milliseconds) }
}

/// Numbers that depend on keys alone.
enum Chance {
    /// One key from several, in order.
    static func key(_ parts: UInt64...) -> UInt64 {
        var key: UInt64 = 0
        for part in parts {
            var mixer = SplitMix64(seed: key ^ part)
            key = mixer.next()
        }
        return key
    }

    /// A key from a text: FNV-1a, because the standard hash differs from run to run.
    static func key(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

extension DeviceTimeZone {
    /// The instant of a reading: the first of two, and moved forward out of a gap.
    func earliestInstant(of local: LocalDateTime) -> Instant {
        switch resolve(local) {
        case .unique(let instant), .gap(let instant): instant
        case .overlap(let earlier, _): earlier
        }
    }
}
