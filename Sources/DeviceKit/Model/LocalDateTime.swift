/// A wall-clock reading without a zone: what a terminal shows and stores.
///
/// Years 1...9999 of the proleptic Gregorian calendar, whole seconds, no leap seconds. A value that exists is a real
/// date. It becomes an ``Instant`` only through a ``DeviceTimeZone``.
public struct LocalDateTime: Sendable, Hashable, Comparable {
    /// Seconds since 1970-01-01 00:00:00 on the same wall clock. Not an instant: no zone has been applied.
    public let wallSeconds: Int64

    /// The earliest and the latest reading that this type represents.
    public static let earliest = LocalDateTime(wallSeconds: -62_135_596_800)
    public static let latest = LocalDateTime(wallSeconds: 253_402_300_799)

    private init(wallSeconds: Int64) {
        self.wallSeconds = wallSeconds
    }

    /// `nil` outside the years 1...9999.
    public init?(exactlyWallSeconds seconds: Int64) {
        guard seconds >= Self.earliest.wallSeconds, seconds <= Self.latest.wallSeconds else { return nil }
        self.wallSeconds = seconds
    }

    /// `nil` when the fields do not name a real date and time (month 13, 31 February, 24:00:00).
    public init?(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        guard (1...9999).contains(year), (1...12).contains(month),
            (1...CivilDate.dayCount(year: year, month: month)).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
        else { return nil }
        let days = CivilDate.daysSince1970(year: year, month: month, day: day)
        self.wallSeconds = Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
    }

    /// Year, month 1...12 and day 1...31.
    public var date: CivilDate { CivilDate(daysSince1970: Int(wallSeconds.flooredQuotient(dividingBy: 86_400))) }
    public var hour: Int { secondOfDay / 3_600 }
    public var minute: Int { secondOfDay / 60 % 60 }
    public var second: Int { secondOfDay % 60 }
    /// 0...86,399.
    public var secondOfDay: Int { Int(wallSeconds.flooredRemainder(dividingBy: 86_400)) }
    /// The same day at 00:00:00.
    public var startOfDay: LocalDateTime { LocalDateTime(wallSeconds: wallSeconds - Int64(secondOfDay)) }

    /// Moved by whole seconds, held at the ends of the range.
    public func advanced(bySeconds seconds: Int64) -> LocalDateTime {
        let (sum, overflow) = wallSeconds.addingReportingOverflow(seconds)
        if overflow { return seconds < 0 ? .earliest : .latest }
        return LocalDateTime(wallSeconds: min(max(sum, Self.earliest.wallSeconds), Self.latest.wallSeconds))
    }

    public static func < (left: LocalDateTime, right: LocalDateTime) -> Bool { left.wallSeconds < right.wallSeconds }
}

extension LocalDateTime: CustomStringConvertible {
    /// `2026-11-24 08:30:00`.
    public var description: String { text(separator: 0x20) }
    /// `2026-11-24T08:30:00`, the form in a punch's JSON.
    public var iso8601: String { text(separator: 0x54) }

    private func text(separator: UInt8) -> String {
        let date = date
        var text = DigitText(capacity: 19)
        text.append(date, separator: separator)
        text.appendTime(secondOfDay: secondOfDay)
        return text.string
    }

    /// Reads `2026-11-24 08:30:00`, with a space or `T` in the middle; the seconds may be missing. Anything else is `nil`.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 19 || bytes.count == 16,
            let year = DecimalDigits.value(bytes, 0, 4), bytes[4] == 0x2D,
            let month = DecimalDigits.value(bytes, 5, 2), bytes[7] == 0x2D,
            let day = DecimalDigits.value(bytes, 8, 2), bytes[10] == 0x20 || bytes[10] == 0x54,
            let hour = DecimalDigits.value(bytes, 11, 2), bytes[13] == 0x3A,
            let minute = DecimalDigits.value(bytes, 14, 2)
        else { return nil }
        var second = 0
        if bytes.count == 19 {
            guard bytes[16] == 0x3A, let value = DecimalDigits.value(bytes, 17, 2) else { return nil }
            second = value
        }
        self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }
}

extension LocalDateTime: Codable {
    /// As text, `2026-11-24 08:30:00`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let time = LocalDateTime(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no date and time")
        }
        self = time
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
