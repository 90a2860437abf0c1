/// Makes attendances of punches: Odoo keeps intervals.
///
/// - An IN begins an attendance, the next OUT of the same working day ends it. A punch without a direction does what is
///   missing.
/// - An attendance that is never ended ends when it began: it shows, counts for nothing, and does not block the next.
///   Only the last one of all stays open.
/// - An OUT that no IN precedes on its day belongs to no attendance.
enum OdooDay {
    struct Rule: Sendable, Hashable {
        /// Seconds after midnight.
        var dayBegins: Int64
        /// A second punch in the same direction within so many seconds is the first one again.
        var repeatSeconds: Int64
    }

    /// In seconds since 1970; open while `checkOut` is `nil`.
    struct Interval: Sendable, Hashable, Codable {
        var checkIn: Int64
        var checkOut: Int64?
    }

    struct Plan: Sendable, Equatable {
        /// By time; they do not overlap, and only the last one may be open.
        var intervals: [Interval] = []
        /// OUT without IN.
        var unpaired: [OdooLedger.Punch] = []
    }

    /// - Parameter punches: by time.
    static func plan(_ punches: [OdooLedger.Punch], _ rule: Rule) -> Plan {
        var plan = Plan()
        var open: OdooLedger.Punch?
        var last: (punch: OdooLedger.Punch, kind: OdooLedger.Kind)?
        for punch in punches {
            // What was begun on an earlier day does not end today.
            if let begun = open, day(begun, rule) != day(punch, rule) {
                plan.intervals.append(Interval(checkIn: begun.time, checkOut: begun.time))
                open = nil
            }
            let kind = punch.kind == .unknown ? (open == nil ? .in : .out) : punch.kind
            if let last, punch.time - last.punch.time <= rule.repeatSeconds, day(last.punch, rule) == day(punch, rule),
                last.kind == kind || punch.kind == .unknown
            {
                continue
            }
            last = (punch, kind)
            switch (kind, open) {
            case (.out, let begun?):
                plan.intervals.append(Interval(checkIn: begun.time, checkOut: punch.time))
                open = nil
            case (.out, nil): plan.unpaired.append(punch)
            case (_, let begun):
                if let begun { plan.intervals.append(Interval(checkIn: begun.time, checkOut: begun.time)) }
                open = punch
            }
        }
        if let open { plan.intervals.append(Interval(checkIn: open.time, checkOut: nil)) }
        return plan
    }

    private static func day(_ punch: OdooLedger.Punch, _ rule: Rule) -> Int64 {
        let wall = punch.wall - rule.dayBegins
        return wall >= 0 ? wall / 86_400 : (wall - 86_399) / 86_400
    }
}

/// One change of an attendance that the sink owns.
enum OdooChange: Sendable, Hashable {
    case delete(checkIn: Int64)
    case write(OdooDay.Interval)
    case create(OdooDay.Interval)

    /// When the attendance begins.
    var checkIn: Int64 {
        switch self {
        case .delete(let checkIn): checkIn
        case .write(let interval), .create(let interval): interval.checkIn
        }
    }

    /// When it is to end; `nil` for one that stays open or goes.
    var checkOut: Int64? {
        switch self {
        case .delete: nil
        case .write(let interval), .create(let interval): interval.checkOut
        }
    }

    /// What brings the records of the server to the plan, in an order in which no two attendances ever overlap: what
    /// goes makes room first, then ends that come nearer, then ends that move away, then what is new.
    static func changes(from records: [OdooLedger.Record], to intervals: [OdooDay.Interval]) -> [OdooChange] {
        let wanted = Dictionary(intervals.map { ($0.checkIn, $0) }, uniquingKeysWith: { first, _ in first })
        let present = Set(records.map(\.interval.checkIn))
        var deletions: [OdooChange] = []
        var shrinking: [OdooChange] = []
        var growing: [OdooChange] = []
        for record in records where !record.isGone {
            guard let target = wanted[record.interval.checkIn] else {
                deletions.append(.delete(checkIn: record.interval.checkIn))
                continue
            }
            guard target != record.interval else { continue }
            if (target.checkOut ?? .max) < (record.interval.checkOut ?? .max) {
                shrinking.append(.write(target))
            } else {
                growing.append(.write(target))
            }
        }
        return deletions + shrinking + growing
            + intervals.filter { !present.contains($0.checkIn) }.map { .create($0) }
    }
}
