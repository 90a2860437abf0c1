/// A day of the proleptic Gregorian calendar.
public struct CivilDate: Sendable, Hashable {
    public let year: Int
    /// 1...12.
    public let month: Int
    /// 1...31.
    public let day: Int

    /// Days before 1970 are negative. Algorithm: years are counted from March, so that the leap day is a year's last.
    public init(daysSince1970 days: Int) {
        let shifted = Int64(days) + 719_468
        let era = shifted.flooredQuotient(dividingBy: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1)
        month = Int(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    /// Negative before 1970. `month` is 1...12; a day beyond its month counts on.
    public static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        let marchYear = Int64(month <= 2 ? year - 1 : year)
        let era = marchYear.flooredQuotient(dividingBy: 400)
        let yearOfEra = marchYear - era * 400
        let marchMonth = Int64(month > 2 ? month - 3 : month + 9)
        let dayOfYear = (153 * marchMonth + 2) / 5 + Int64(day) - 1
        return Int(era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468)
    }

    /// Days in a month; `month` is 1...12.
    public static func dayCount(year: Int, month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// 0 is Sunday, 6 is Saturday.
    public var weekday: Int {
        Int(Int64(Self.daysSince1970(year: year, month: month, day: day) + 4).flooredRemainder(dividingBy: 7))
    }
}

extension FixedWidthInteger where Self: SignedInteger {
    /// The quotient rounded towards negative infinity; `divisor` is positive.
    package func flooredQuotient(dividingBy divisor: Self) -> Self {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The remainder in 0..<divisor; `divisor` is positive.
    package func flooredRemainder(dividingBy divisor: Self) -> Self {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}

/// Date and time text written digit by digit: formatters cost 100 times as much, and a log has 100,000 records.
struct DigitText {
    private var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    mutating func append(_ date: CivilDate, separator: UInt8) {
        append(date.year, width: 4)
        bytes.append(0x2D)
        append(date.month, width: 2)
        bytes.append(0x2D)
        append(date.day, width: 2)
        bytes.append(separator)
    }

    mutating func appendTime(secondOfDay: Int) {
        append(secondOfDay / 3_600, width: 2)
        bytes.append(0x3A)
        append(secondOfDay / 60 % 60, width: 2)
        bytes.append(0x3A)
        append(secondOfDay % 60, width: 2)
    }

    mutating func append(ascii byte: UInt8) { bytes.append(byte) }

    mutating func append(_ value: Int, width: Int) {
        var divisor = 1
        for _ in 1..<max(width, 1) { divisor *= 10 }
        while divisor > 0 {
            bytes.append(0x30 + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}

enum DecimalDigits {
    /// The number that `count` ASCII digits at `start` spell; `nil` past the end or at anything else.
    static func value(_ bytes: [UInt8], _ start: Int, _ count: Int) -> Int? {
        guard start >= 0, count > 0, count <= 18, start + count <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[start..<start + count] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }
}
