public import DeviceKit
internal import Synchronization

/// The log of a simulated terminal: all its punches up to a moment, as a function of the ``SimulationPlan`` and the
/// moment. Polls, captures, tests and judges read the same one.
///
/// The log is cut into minutes, and each minute can be worked out alone: a reader never starts from the beginning.
public struct SimulatedLog: Sendable {
    /// A place between two records: a minute since 1970, and how many records of that minute stand before the place.
    struct Position: Sendable, Hashable, Comparable {
        var minute: Int64
        var index: Int

        static func < (left: Position, right: Position) -> Bool {
            (left.minute, left.index) < (right.minute, right.index)
        }
    }

    /// A record and when it is made.
    struct Event: Sendable {
        let instant: Instant
        let record: PunchRecord
    }

    let plan: SimulationPlan
    let crew: Crew
    private let roster: Roster
    /// The minute that was read last: several pages can lie in one.
    private let recent = RecentMinute()

    public init(_ plan: SimulationPlan) {
        self.plan = plan
        crew = Crew(plan)
        roster = Roster(plan, crew: crew)
    }

    /// Everything that the terminal holds at `now`, in its order: the ground truth.
    public func records(upTo now: Instant) -> [PunchRecord] {
        page(from: beginning(at: now), upTo: now, limit: .max).events.map(\.record)
    }

    /// The oldest record that is kept at `now`.
    func beginning(at now: Instant) -> Position {
        position(firstNotBefore: plan.beginning(at: now))
    }

    /// The place after every record up to and including `now`.
    func end(at now: Instant) -> Position {
        position(firstNotBefore: now + .milliseconds(1))
    }

    /// At most `limit` records up to and including `now`, the place after them, and whether the log goes on from there.
    func page(from start: Position, upTo now: Instant, limit: Int) -> (events: [Event], next: Position, hasMore: Bool) {
        var events: [Event] = []
        var position = start
        let lastMinute = Self.minute(of: now)
        while position.minute <= lastMinute {
            for event in self.events(inMinute: position.minute).dropFirst(position.index) {
                if event.instant > now { return (events, position, false) }
                if events.count == limit { return (events, position, true) }
                events.append(event)
                position.index += 1
            }
            // The minute that runs now is never left: more of it is to come.
            if position.minute == lastMinute { break }
            position = Position(minute: position.minute + 1, index: 0)
        }
        return (events, position, false)
    }

    /// How many records lie between a place and a moment.
    func count(from start: Position, upTo now: Instant) -> Int {
        let end = end(at: now)
        guard start < end else { return 0 }
        let whole = (start.minute..<end.minute).reduce(0) { $0 + events(inMinute: $1).count }
        return whole - start.index + end.index
    }

    /// When the next record after a place is made; `nil` when there is none within the hour.
    func nextInstant(after start: Position) -> Instant? {
        for minute in start.minute..<start.minute + 60 {
            let skipped = minute == start.minute ? start.index : 0
            if let event = events(inMinute: minute).dropFirst(skipped).first { return event.instant }
        }
        return nil
    }

    private func position(firstNotBefore instant: Instant) -> Position {
        let minute = Self.minute(of: instant)
        let index = events(inMinute: minute).prefix { $0.instant < instant }.count
        return Position(minute: minute, index: index)
    }

    private static func minute(of instant: Instant) -> Int64 {
        instant.millisecondsSince1970.flooredQuotient(dividingBy: 60_000)
    }
}

extension SimulatedLog {
    /// All records of one minute, by time. Nobody has two in one second: the second one is left out.
    func events(inMinute minute: Int64) -> [Event] {
        if let known = recent.events(of: minute) { return known }
        let all = (shiftEvents(inMinute: minute) + passingEvents(inMinute: minute)).sorted {
            ($0.instant, $0.member) < ($1.instant, $1.member)
        }
        var seen: Set<Passage.Identity> = []
        let events = all.filter { seen.insert($0.identity).inserted }.map(event)
        recent.keep(events, of: minute)
        return events
    }

    /// Somebody passes the terminal.
    private struct Passage {
        struct Identity: Hashable {
            let second: Int64
            let member: Int
        }

        let instant: Instant
        let member: Int
        let direction: Direction
        let origin: String

        var identity: Identity { Identity(second: instant.secondsSince1970, member: member) }
    }

    /// Shifts follow the wall clock: in a gap of the zone nobody comes, and a repeated hour is worked once.
    private func shiftEvents(inMinute minute: Int64) -> [Passage] {
        let start = Instant(secondsSince1970: minute * 60)
        let local = plan.timeZone.localTime(at: start)
        guard plan.timeZone.earliestInstant(of: local) == start else { return [] }
        let speed = Int64(plan.workingDaysPerDay)
        let wall = local.wallSeconds * speed
        return roster.entries(in: wall..<wall + 60 * speed).map { entry in
            let second = minute * 60 + (entry.wallSecond - wall) / speed
            return Passage(
                instant: Instant(secondsSince1970: second), member: entry.member, direction: entry.direction,
                origin: "shift")
        }
    }

    /// The even stream of the plan's pace: everybody in turn, on the way in and on the way out.
    private func passingEvents(inMinute minute: Int64) -> [Passage] {
        guard let pace = plan.pace else { return [] }
        let first = pace.firstOrdinal(notBefore: Instant(secondsSince1970: minute * 60))
        let end = pace.firstOrdinal(notBefore: Instant(secondsSince1970: (minute + 1) * 60))
        let people = Int64(plan.people)
        return (first..<max(first, end)).map { ordinal in
            let turn = ordinal.flooredQuotient(dividingBy: people)
            let place = Int(ordinal.flooredRemainder(dividingBy: people))
            return Passage(
                instant: pace.instant(ofOrdinal: ordinal), member: crew.passingOrder[place],
                direction: turn.isMultiple(of: 2) ? .workIn : .workOut, origin: "passing")
        }
    }

    private func event(_ passage: Passage) -> Event {
        let member = crew.members[passage.member]
        let shown = plan.timeZone.localTime(at: passage.instant).advanced(bySeconds: plan.clockSkewSeconds)
        var raw = JSONObjectWriter()
        raw.member("origin", passage.origin)
        raw.member("code", member.person.code)
        raw.member("time", shown.description)
        raw.member("state", passage.direction.raw)
        raw.member("verify", member.verification.raw)
        let record = PunchRecord(
            code: member.person.code, localTime: shown, direction: passage.direction,
            verification: member.verification, raw: raw.finish())
        return Event(instant: passage.instant, record: record)
    }
}

/// Keeps the events of one minute.
private final class RecentMinute: Sendable {
    private let kept = Mutex<(minute: Int64, events: [SimulatedLog.Event])?>(nil)

    func events(of minute: Int64) -> [SimulatedLog.Event]? {
        kept.withLock { $0?.minute == minute ? $0?.events : nil }
    }

    func keep(_ events: [SimulatedLog.Event], of minute: Int64) {
        kept.withLock { $0 = (minute, events) }
    }
}
