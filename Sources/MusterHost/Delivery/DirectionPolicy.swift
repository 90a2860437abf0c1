public import DeviceKit
public import Journal

/// Who decides which way a punch goes. The number that the terminal sent is kept in every case.
public enum DirectionPolicy: String, Sendable, Hashable, CaseIterable {
    /// The terminal, as it stands in the record.
    case device
    /// A person's first punch of the day goes in, every later one out: the last one holds.
    case firstInLastOut = "first-in-last-out"
    /// A person's punches of the day go in and out by turns.
    case alternate
    /// A terminal at an entrance.
    case fixedIn = "fixed-in"
    /// A terminal at an exit.
    case fixedOut = "fixed-out"

    /// Whether a person's earlier punches of the day count.
    var needsHistory: Bool { self == .firstInLastOut || self == .alternate }

    /// - Parameter rank: how many punches the person had that day before this one.
    func kind(rank: Int) -> Direction.Kind? {
        switch self {
        case .device: nil
        case .firstInLastOut: rank == 0 ? .in : .out
        case .alternate: rank.isMultiple(of: 2) ? .in : .out
        case .fixedIn: .in
        case .fixedOut: .out
        }
    }
}

/// The direction policies of some devices, ready to be applied.
///
/// A day is counted by the wall clock of the device, over all of these devices together, in the order of their wall
/// times. What is decided is decided by what the journal holds at that moment: a punch that arrives later and belongs
/// before others does not change what was delivered.
public struct DirectionRules: Sendable {
    struct Rule: Sendable, Hashable {
        var policy: DirectionPolicy
        /// How long after midnight the device's day begins.
        var dayBegins: Duration
    }

    let rules: [DeviceID: Rule]

    init(rules: [DeviceID: Rule]) { self.rules = rules }

    /// - Parameter policy: holds for every device; `nil` leaves to each its own.
    public init(_ devices: [HostConfiguration.Device], policy: DirectionPolicy? = nil) {
        rules = Dictionary(
            devices.map { ($0.id, Rule(policy: policy ?? $0.directionPolicy, dayBegins: $0.dayBegins)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The punches with the directions of the rules, in the same order.
    public func apply(
        to punches: [JournaledPunch], reader: JournalReader
    ) async throws(JournalError) -> [JournaledPunch] {
        guard rules.values.contains(where: { $0.policy != .device }) else { return punches }
        let ranks = try await ranks(of: punches, reader)
        return punches.map { journaled in
            guard let rule = rules[journaled.punch.device],
                let kind = rule.policy.kind(rank: ranks[journaled.position] ?? 0)
            else { return journaled }
            var punch = journaled.punch
            punch.record.direction = Direction(kind, raw: punch.record.direction.raw)
            return JournaledPunch(position: journaled.position, punch: punch)
        }
    }

    private struct PersonDay: Hashable {
        let code: String
        let day: Int64
    }

    /// How many punches of the same person and day came before each, by position.
    private func ranks(
        of punches: [JournaledPunch], _ reader: JournalReader
    ) async throws(JournalError) -> [Int64: Int] {
        let devices = Set(rules.filter { $0.value.policy.needsHistory }.keys)
        let wanted = punches.map(\.punch).filter { devices.contains($0.device) }
        guard !wanted.isEmpty else { return [:] }
        let people = Set(wanted.map(\.code))
        var days: [PersonDay: [(wall: Int64, position: Int64)]] = [:]
        for span in spans(of: wanted) {
            for mark in try await reader.marks(of: devices, people: people, in: span) {
                guard let day = day(mark.device, mark.localTime) else { continue }
                days[PersonDay(code: mark.code, day: day), default: []]
                    .append((mark.localTime.wallSeconds, mark.position))
            }
        }
        var ranks: [Int64: Int] = [:]
        for marks in days.values {
            let sorted = marks.sorted { ($0.wall, $0.position) < ($1.wall, $1.position) }
            for (rank, mark) in sorted.enumerated() { ranks[mark.position] = rank }
        }
        return ranks
    }

    private func day(_ device: DeviceID, _ local: LocalDateTime) -> Int64? {
        guard let rule = rules[device] else { return nil }
        let wall = local.wallSeconds - rule.dayBegins.components.seconds
        return wall >= 0 ? wall / 86_400 : (wall - 86_399) / 86_400
    }

    /// Stretches of time that hold every day of the punches whole, whatever the zone. They do not overlap.
    private func spans(of punches: [Punch]) -> [ClosedRange<Instant>] {
        let margin = Duration.seconds(2 * 86_400)
        var spans: [ClosedRange<Instant>] = []
        for time in punches.map(\.time).sorted() {
            if let last = spans.last, time - margin <= last.upperBound {
                spans[spans.count - 1] = last.lowerBound...max(last.upperBound, time + margin)
            } else {
                spans.append((time - margin)...(time + margin))
            }
        }
        return spans
    }
}
