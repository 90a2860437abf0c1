internal import DeviceKit

/// When a device's log is read: by the schedule, and again a while after it could not be read. Part of
/// ``SupervisorMachine``.
struct PollTimetable: Sendable {
    /// The next poll by the schedule; `nil` for a device that is not polled, or never again.
    private(set) var next: Instant?

    private let plan: SupervisorMachine.Plan
    /// How often the poll has failed in a row, and the uptime of its next attempt.
    private(set) var failures = 0
    private var retryAt: Duration?
    /// When the schedule was looked at last.
    private var lastMoment: SupervisorMoment?

    init(_ plan: SupervisorMachine.Plan) { self.plan = plan }

    /// The uptime at which a poll is due, by the schedule or as a retry; `nil` when none is.
    func due(at moment: SupervisorMoment) -> Duration? {
        let scheduled = next.map { moment.uptime + max($0 - moment.now, .zero) }
        guard let scheduled, let retryAt else { return scheduled ?? retryAt }
        return min(scheduled, retryAt)
    }

    /// Whether a poll is due now, by the schedule or as a retry: it is taken for begun. Missed runs collapse into one.
    mutating func takeDue(_ moment: SupervisorMoment) -> Bool {
        var isDue = false
        if let next, moment.now >= next {
            isDue = true
            planNext(moment)
        } else if wasPutBack(moment) {
            // What was planned by the old time would come late by as much as the clock was moved.
            planNext(moment)
        }
        lastMoment = moment
        if let retryAt, moment.uptime >= retryAt {
            isDue = true
            self.retryAt = nil
        }
        return isDue
    }

    mutating func planNext(_ moment: SupervisorMoment) {
        next = plan.canPoll ? plan.schedule.next(after: moment.now, in: plan.zone) : nil
    }

    /// The wall clock lost time against the uptime since the last look.
    private func wasPutBack(_ moment: SupervisorMoment) -> Bool {
        guard let lastMoment else { return false }
        let lost = (moment.now - lastMoment.now) - (moment.uptime - lastMoment.uptime)
        return lost < .zero - SupervisorMachine.longestWait
    }

    /// The log could not be read: again after the waits of the plan, then by the schedule.
    mutating func failed(_ moment: SupervisorMoment) {
        let retries = plan.timers.pollRetries
        retryAt = failures < retries.count ? moment.uptime + retries[failures] : nil
        failures += 1
    }

    /// The log was read to its end.
    mutating func succeeded() {
        failures = 0
        retryAt = nil
    }

    /// A session was opened, which begins with a poll.
    mutating func opened() { retryAt = nil }
}
