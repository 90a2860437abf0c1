private import Foundation
internal import Synchronization

/// An IANA time zone that turns a terminal's wall clock into instants.
///
/// Its rules come from the Swift runtime's copy of the time zone database. A reading costs some tens of nanoseconds:
/// the transitions of 1970 to 2100 are looked up once per zone.
public struct DeviceTimeZone: Sendable, Hashable, CustomStringConvertible {
    /// The IANA name, for example `Asia/Ho_Chi_Minh`.
    public let identifier: String
    private let table: TransitionTable

    /// What a wall-clock reading means.
    public enum Resolution: Sendable, Hashable {
        case unique(Instant)
        /// The clocks were put forward past this reading; it is moved forward by the length of the gap.
        case gap(Instant)
        /// The clocks were put back and showed this reading twice.
        case overlap(earlier: Instant, later: Instant)
    }

    public static let utc = DeviceTimeZone(identifier: "UTC", table: TransitionTable(firstOffset: 0, transitions: []))

    /// `nil` for a name that the time zone database does not have, and for abbreviations such as `PKT` or `EST`, which
    /// mean different zones to different people. `UTC` and `GMT` are names.
    public init?(identifier: String) {
        if identifier == "UTC" || identifier == "GMT" || identifier == "Etc/UTC" {
            self.init(identifier: identifier, table: Self.utc.table)
            return
        }
        guard identifier.contains("/"), let table = TransitionTables.shared.table(for: identifier) else { return nil }
        self.init(identifier: identifier, table: table)
    }

    private init(identifier: String, table: TransitionTable) {
        self.identifier = identifier
        self.table = table
    }

    /// What the wall clock of this zone meant when it showed `local`.
    public func resolve(_ local: LocalDateTime) -> Resolution {
        let wall = local.wallSeconds
        // A transition moves the offset by a day at the most, so only those around the reading can matter.
        let before = table.offset(at: wall - 86_400)
        let after = table.offset(at: wall + 86_400)
        let candidates = [wall - Int64(before), wall - Int64(after)].filter { instant in
            Int64(table.offset(at: instant)) == wall - instant
        }
        switch (candidates.first, candidates.last) {
        case (let first?, let last?) where first == last:
            return .unique(Instant(secondsSince1970: first))
        case (let first?, let last?):
            return .overlap(
                earlier: Instant(secondsSince1970: min(first, last)),
                later: Instant(secondsSince1970: max(first, last)))
        default:
            // Read with the offset from before the gap, the reading lands after it, moved by the gap's length.
            return .gap(Instant(secondsSince1970: wall - Int64(before)))
        }
    }

    /// What a clock on the wall shows at `instant`. Held in the years 1...9999.
    public func localTime(at instant: Instant) -> LocalDateTime {
        let seconds = instant.secondsSince1970
        let held = min(max(seconds, LocalDateTime.earliest.wallSeconds), LocalDateTime.latest.wallSeconds)
        let wall = held + Int64(table.offset(at: held))
        return LocalDateTime(exactlyWallSeconds: wall) ?? (wall < 0 ? .earliest : .latest)
    }

    /// Seconds east of Greenwich at `instant`.
    public func offsetSeconds(at instant: Instant) -> Int { table.offset(at: instant.secondsSince1970) }

    public var description: String { identifier }

    public static func == (left: DeviceTimeZone, right: DeviceTimeZone) -> Bool { left.identifier == right.identifier }

    public func hash(into hasher: inout Hasher) { hasher.combine(identifier) }
}

/// Offsets by instant: an immutable sorted table that every value of one zone shares.
private final class TransitionTable: Sendable {
    private let firstOffset: Int
    private let instants: [Int64]
    private let offsets: [Int]

    init(firstOffset: Int, transitions: [(instant: Int64, offset: Int)]) {
        self.firstOffset = firstOffset
        instants = transitions.map(\.instant)
        offsets = transitions.map(\.offset)
    }

    /// The offset in force at an instant, in seconds east of Greenwich.
    func offset(at instant: Int64) -> Int {
        var low = 0
        var high = instants.count
        while low < high {
            let middle = (low + high) / 2
            if instants[middle] <= instant { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? firstOffset : offsets[low - 1]
    }
}

private final class TransitionTables: Sendable {
    static let shared = TransitionTables()

    private let tables = Mutex<[String: TransitionTable]>([:])

    func table(for identifier: String) -> TransitionTable? {
        if let known = tables.withLock({ $0[identifier] }) { return known }
        guard let made = Self.make(identifier) else { return nil }
        tables.withLock { $0[identifier] = made }
        return made
    }

    private static func make(_ identifier: String) -> TransitionTable? {
        guard let zone = TimeZone(identifier: identifier) else { return nil }
        var transitions: [(instant: Int64, offset: Int)] = []
        var moment = Date(timeIntervalSince1970: 0)
        let end = Date(timeIntervalSince1970: 4_102_444_800)  // 2100-01-01
        while let next = zone.nextDaylightSavingTimeTransition(after: moment), next < end, next > moment {
            transitions.append((Int64(next.timeIntervalSince1970), zone.secondsFromGMT(for: next)))
            moment = next
        }
        return TransitionTable(
            firstOffset: zone.secondsFromGMT(for: Date(timeIntervalSince1970: 0)),
            transitions: transitions)
    }
}
