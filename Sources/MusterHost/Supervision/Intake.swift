internal import DeviceKit
internal import Journal

/// Makes punches of what a device records: resolves the zone, judges the time, and keeps what the window asks for.
struct Intake: Sendable {
    let device: DeviceID
    let zone: DeviceTimeZone
    let source: Punch.Source

    /// The last punch in the order of the source; decides between the two readings of a repeated hour.
    private var last: (code: String, instant: Instant)?

    /// Before this no terminal of today was built.
    private static let earliestPlausible = Instant(secondsSince1970: 946_684_800)  // 2000-01-01
    private static let longestAhead = Duration.seconds(86_400)

    init(device: DeviceID, zone: DeviceTimeZone, source: Punch.Source) {
        self.device = device
        self.zone = zone
        self.source = source
    }

    /// - Parameter now: when the host received the record.
    mutating func punch(_ record: PunchRecord, receivedAt now: Instant) -> Punch {
        var notes: [String] = []
        let time = instant(of: record, now: now, &notes)
        last = (record.code, time)
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
    /// otherwise: what comes after cannot have happened before.
    private func choose(_ code: String, _ earlier: Instant, _ later: Instant, now: Instant) -> Instant {
        if source == .capture {
            let (fromEarlier, fromLater) = (now - earlier, later - now)
            return fromEarlier > max(fromLater, .zero - fromLater) ? later : earlier
        }
        guard let last, later - last.instant < .seconds(86_400) else { return earlier }
        if earlier < last.instant || (earlier == last.instant && last.code == code) { return later }
        return earlier
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
