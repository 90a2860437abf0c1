/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Exact, unlike a floating-point date, because the identity of a punch contains its instant.
public struct Instant: Sendable, Hashable, Comparable, Codable {
    public let millisecondsSince1970: Int64

    public init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    /// Held at the ends of the range instead of overflowing.
    public init(secondsSince1970 seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        millisecondsSince1970 = overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// Rounded towards the past.
    public var secondsSince1970: Int64 { millisecondsSince1970.flooredQuotient(dividingBy: 1_000) }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.millisecondsSince1970 < right.millisecondsSince1970
    }

    /// Held at the ends of the range instead of overflowing.
    public static func + (left: Instant, right: Duration) -> Instant {
        let (sum, overflow) = left.millisecondsSince1970.addingReportingOverflow(right.wholeMilliseconds)
        return Instant(millisecondsSince1970: overflow ? (right < .zero ? .min : .max) : sum)
    }

    public static func - (left: Instant, right: Duration) -> Instant { left + (.zero - right) }

    public static func - (left: Instant, right: Instant) -> Duration {
        let (difference, overflow) = left.millisecondsSince1970.subtractingReportingOverflow(
            right.millisecondsSince1970)
        return .milliseconds(overflow ? (left < right ? .min : .max) : difference)
    }
}

extension Instant: CustomStringConvertible {
    /// RFC 3339 in UTC: `2026-11-24T08:30:00Z`, with `.123` when there is a fraction. Years are held in 1...9999.
    public var description: String {
        let seconds = min(max(secondsSince1970, -62_135_596_800), 253_402_300_799)
        var text = DigitText(capacity: 24)
        text.append(CivilDate(daysSince1970: Int(seconds.flooredQuotient(dividingBy: 86_400))), separator: 0x54)
        text.appendTime(secondOfDay: Int(seconds.flooredRemainder(dividingBy: 86_400)))
        let fraction = Int(millisecondsSince1970.flooredRemainder(dividingBy: 1_000))
        if fraction != 0 {
            text.append(ascii: 0x2E)
            text.append(fraction, width: 3)
        }
        text.append(ascii: 0x5A)
        return text.string
    }

    /// Reads RFC 3339: `2026-11-24T08:30:00Z`, `…+07:00`, an optional fraction (cut to milliseconds), `T` or a space.
    public init?(rfc3339 text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, let local = LocalDateTime(String(decoding: bytes[0..<19], as: UTF8.self)) else {
            return nil
        }
        var index = 19
        var milliseconds: Int64 = 0
        if bytes[index] == 0x2E {
            index += 1
            var scale: Int64 = 100
            let start = index
            while index < bytes.count, (0x30...0x39).contains(bytes[index]) {
                milliseconds += Int64(bytes[index] - 0x30) * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard index < bytes.count, let offset = Self.offsetSeconds(bytes[index...]) else { return nil }
        self.init(millisecondsSince1970: (local.wallSeconds - offset) * 1_000 + milliseconds)
    }

    private static func offsetSeconds(_ zone: ArraySlice<UInt8>) -> Int64? {
        let bytes = Array(zone)
        if bytes == [0x5A] || bytes == [0x7A] { return 0 }
        guard bytes.count == 6, bytes[0] == 0x2B || bytes[0] == 0x2D, bytes[3] == 0x3A,
            let hours = DecimalDigits.value(bytes, 1, 2), hours < 24,
            let minutes = DecimalDigits.value(bytes, 4, 2), minutes < 60
        else { return nil }
        let seconds = Int64(hours * 3_600 + minutes * 60)
        return bytes[0] == 0x2D ? -seconds : seconds
    }
}

extension Duration {
    /// Rounded towards zero and held at the ends of the range.
    public var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, sumOverflow) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return sumOverflow ? (seconds < 0 ? .min : .max) : sum
    }

    /// Seconds as a floating-point number, for display and for ratios.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
