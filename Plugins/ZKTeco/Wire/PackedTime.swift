public import DeviceKit

/// The terminal's two spellings of its wall clock. Both hold years 2000...2099 and no zone.
public enum PackedTime {
    /// Months of 31 days and years of 12 such months, in seconds. `nil` for what is no date: 31 February decodes
    /// arithmetically, and terminals with a dead clock send such values; and for years after 2099, which cannot be
    /// written.
    public static func decode(_ value: UInt32) -> LocalDateTime? {
        guard value < 100 * 372 * 86_400 else { return nil }
        let second = Int(value % 60)
        let minute = Int(value / 60 % 60)
        let hour = Int(value / 3_600 % 24)
        let days = Int(value / 86_400)
        return LocalDateTime(
            year: 2000 + days / 372, month: days / 31 % 12 + 1, day: days % 31 + 1, hour: hour, minute: minute,
            second: second)
    }

    /// Years outside 2000...2099 lose their century.
    public static func encode(_ time: LocalDateTime) -> UInt32 {
        let date = time.date
        let days = UInt32(date.year % 100) * 372 + UInt32(date.month - 1) * 31 + UInt32(date.day - 1)
        return days * 86_400 + UInt32(time.secondOfDay)
    }

    /// Year since 2000, month, day, hour, minute, second: the form in live events.
    public static func decodeSixBytes(_ bytes: ArraySlice<UInt8>) -> LocalDateTime? {
        guard bytes.count == 6 else { return nil }
        let fields = bytes.map { Int($0) }
        return LocalDateTime(
            year: 2000 + fields[0], month: fields[1], day: fields[2], hour: fields[3], minute: fields[4],
            second: fields[5])
    }

    public static func encodeSixBytes(_ time: LocalDateTime) -> [UInt8] {
        let date = time.date
        return [date.year % 100, date.month, date.day, time.hour, time.minute, time.second].map {
            UInt8(truncatingIfNeeded: $0)
        }
    }
}
