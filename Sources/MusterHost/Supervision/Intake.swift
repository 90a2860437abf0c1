package import DeviceKit
internal import Journal

/// Makes punches of what a device records: resolves the zone, judges the time, and keeps what the window asks for.
package struct Intake: Sendable {
    package let device: DeviceID
    let zone: DeviceTimeZone
    let source: Punch.Source

    /// What the journal knows of the device, for records of a repeated hour.
    var memory = Memory()
    /// The last punch in the order of the source.
    private(set) var last: Moment?

    /// A person's punch of the device.
    package struct Moment: Sendable, Hashable {
        package let code: String
        package let instant: Instant

        package init(code: String, instant: Instant) {
            self.code = code
            self.instant = instant
        }
    }

    struct Memory: Sendable, Equatable {
        /// Punches of the journal at the instants that a record may mean.
        var known: Set<Moment> = []
        /// The instant of the last record that an earlier poll read: what is new in the log came after it.
        var logTime: Instant?
    }

    /// Before this no terminal of today was built.
    private static let earliestPlausible = Instant(secondsSince1970: 946_684_800)  // 2000-01-01
    private static let longestAhead = Duration.seconds(86_400)

    package init(device: DeviceID, zone: DeviceTimeZone, source: Punch.Source) {
        self.device = device
        self.zone = zone
        self.source = source
    }

    /// - Parameters:
    ///   - known: when it was, where somebody knows better than the wall clock.
    ///   - now: when the host received the record.
    package mutating func punch(_ record: PunchRecord, at known: Instant? = nil, receivedAt now: Instant) -> Punch {
        var notes: [String] = []
        let time = known ?? instant(of: record, now: now, &notes)
        last = Moment(code: record.code, instant: time)
        let isValid = judge(time, now: now, &notes)
        return Punch(
            device: device, time: time, record: record, source: source, receivedAt: now, isValid: isValid,
            notes: notes.joined(separator: "; "))
    }

    private func instant(of record: PunchRecord, now: Instant, _ notes: inout [String]) -> Instant {
        switch zone.resolve(record.localTime) {
        case .unique(let instant): return instant
        case .gap(let moved):
            notes.append("the wall time does not exist in \(zone): moved forward")
            return moved
        case .overlap(let earlier, let later):
            let instant = choose(record.code, earlier, later, now: now)
            if instant == later { notes.append("the second reading of a repeated hour in \(zone)") }
            return instant
        }
    }

    /// A captured punch is the reading that is nearer to now. In a log the earlier reading holds, unless the order says
    /// otherwise: what comes after cannot have happened before. Where the order leaves both open, the reading that the
    /// journal has already is the same punch.
    private func choose(_ code: String, _ earlier: Instant, _ later: Instant, now: Instant) -> Instant {
        if source == .capture {
            let (fromEarlier, fromLater) = (now - earlier, later - now)
            return fromEarlier > max(fromLater, .zero - fromLater) ? later : earlier
        }
        if let last, Self.isNear(last.instant, earlier) {
            if earlier < last.instant || (earlier == last.instant && last.code == code) { return later }
        }
        let isKnown = { instant in memory.known.contains(Moment(code: code, instant: instant)) }
        if isKnown(earlier) { return earlier }
        if isKnown(later) { return later }
        guard last == nil, let logTime = memory.logTime, Self.isNear(logTime, earlier) else { return earlier }
        return earlier < logTime ? later : earlier
    }

    /// The instants that records of a repeated hour may mean; `nil` when each record has one reading.
    static func doubt(_ records: [PunchRecord], zone: DeviceTimeZone) -> ClosedRange<Instant>? {
        var span: ClosedRange<Instant>?
        for record in records {
            guard case .overlap(let earlier, let later) = zone.resolve(record.localTime) else { continue }
            span = min(span?.lowerBound ?? earlier, earlier)...max(span?.upperBound ?? later, later)
        }
        return span
    }

    /// Whether the order of a log says anything of two instants: beyond a day a clock was set in between.
    private static func isNear(_ one: Instant, _ other: Instant) -> Bool {
        let gap = one - other
        return max(gap, .zero - gap) < .seconds(86_400)
    }

    private func judge(_ time: Instant, now: Instant, _ notes: inout [String]) -> Bool {
        if time < Self.earliestPlausible {
            notes.append("the time is before 2000: the terminal's clock was not set")
            return false
        }
        if time > now + Self.longestAhead {
            notes.append("the time is more than a day ahead of the host's clock")
            return false
        }
        return true
    }
}

/// Where a device's history begins for us.
enum HistoryFloor {
    /// The wall time before which records are skipped at the first contact; `nil` keeps everything.
    static func start(of window: PollWindow, zone: DeviceTimeZone, now: Instant) -> LocalDateTime? {
        let today = zone.localTime(at: now).startOfDay
        switch window {
        case .all: return nil
        case .today: return today
        case .days(let count): return today.advanced(bySeconds: -86_400 * Int64(count - 1))
        }
    }
}
