/// How often something happens: `2/min`, `0.5/s`, `100/h`, `30/day`.
public struct Rate: Sendable, Hashable, CustomStringConvertible {
    /// What a rate counts by.
    public enum Unit: String, Sendable, Hashable, CaseIterable {
        case second = "s"
        case minute = "min"
        case hour = "h"
        case day

        var seconds: Double {
            switch self {
            case .second: 1
            case .minute: 60
            case .hour: 3_600
            case .day: 86_400
            }
        }
    }

    /// Finite, 0 or more.
    public let count: Double
    public let unit: Unit

    /// `nil` unless `count` is finite and 0 or more.
    public init?(_ count: Double, per unit: Unit) {
        guard count.isFinite, count >= 0 else { return nil }
        self.count = count
        self.unit = unit
    }

    /// Reads `2/min`. `nil` for anything else.
    public init?(_ text: String) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let count = DecimalText.number(halves[0]), let unit = Unit(rawValue: String(halves[1]))
        else { return nil }
        self.init(count, per: unit)
    }

    /// So many in a minute.
    public static func perSecond(_ count: UInt32) -> Rate { Rate(count: Double(count), unit: .second) }
    public static func perMinute(_ count: UInt32) -> Rate { Rate(count: Double(count), unit: .minute) }

    private init(count: Double, unit: Unit) {
        self.count = count
        self.unit = unit
    }

    public var perSecond: Double { count / unit.seconds }

    /// The mean time between two events; `nil` when there are none.
    public var interval: Duration? { count > 0 ? .seconds(1 / perSecond) : nil }

    public var description: String { "\(DecimalText.text(count))/\(unit.rawValue)" }
}
