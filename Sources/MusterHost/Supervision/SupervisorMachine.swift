package import DeviceKit

/// The life of one device: pure, so that a month of it is tested in a second.
///
/// It takes events with their moment and answers with actions; ``Supervisor`` performs them.
package struct SupervisorMachine: Sendable {
    package struct Plan: Sendable {
        package var isEnabled = true
        /// Punches are received as they happen: the driver can, and the configuration wants it.
        package var isCapturing = true
        package var canPoll = true
        package var schedule: PollSchedule
        /// Of the hours in the schedule.
        package var zone: DeviceTimeZone
        package var timers = LifecycleTimers()
        /// Capture was given up in an earlier life of the host, at this instant.
        package var suspendedSince: Instant?

        package init(schedule: PollSchedule, zone: DeviceTimeZone) {
            self.schedule = schedule
            self.zone = zone
        }
    }

    package let plan: Plan
    package private(set) var state: SupervisorState = .connecting
    /// Failures since the device last served us.
    package private(set) var failuresInARow = 0
    package private(set) var lastFault: DeviceFault?
    package private(set) var isRealtimeEnabled: Bool
    package private(set) var realtimeDisabledAt: Instant?
    /// The next poll by the schedule.
    package private(set) var nextPoll: Instant?

    private var backoff: Backoff
    private var isAlerted = false
    /// A command waits for the session, or for what the session does now.
    private var wantsCommand = false
    /// The uptime of the failure that began the absence.
    private var awaySince: Duration?
    /// The last uptime at which the device was known to be there; the start counts as one.
    private var lastSeen: Duration = .zero
    /// How often the poll has failed in a row, and the uptime of its next attempt.
    private var pollFailures = 0
    private var pollRetryAt: Duration?
    /// When the schedule was looked at last.
    private var lastMoment: SupervisorMoment?

    /// Waits are cut at this length, so that a step of the wall clock is noticed.
    package static let longestWait = Duration.seconds(60)

    package init(_ plan: Plan) {
        self.plan = plan
        isRealtimeEnabled = plan.suspendedSince == nil
        realtimeDisabledAt = plan.suspendedSince
        backoff = Backoff(base: plan.timers.reconnectBase, ceiling: plan.timers.reconnectCeiling)
    }

    package mutating func handle(
        _ event: SupervisorEvent, at moment: SupervisorMoment, using random: inout some RandomNumberGenerator
    ) -> [SupervisorAction] {
        if case .stopping = state { return [] }
        switch event {
        case .started: return start(moment)
        case .opened: return opened(moment)
        case .openFailed(let fault): return failed(fault, moment, &random)
        case .captureEnded(let fault): return linkLost(fault, moment, &random)
        case .pollFinished: return pollFinished(moment)
        case .pollFailed(let fault): return pollFailed(fault, moment, &random)
        case .operationFinished: return operationFinished(moment)
        case .operationFailed(let fault): return linkLost(fault, moment, &random)
        case .pollRequested: return pollRequested()
        case .commandRequested: return commandRequested()
        case .anotherAnswers: return hold(moment)
        case .accepted:
            guard case .held = state else { return [] }
            return connect()
        case .resumeRequested: return resume(moment)
        case .clockSettingWanted: return clockSettingWanted()
        case .timePassed: return timePassed(moment)
        case .stopRequested:
            let mustClose = state.session != nil
            state = .stopping
            return mustClose ? [.close] : []
        }
    }

    /// The uptime at which ``SupervisorEvent/timePassed`` is due; `nil` when only an event can move the device.
    package func deadline(at moment: SupervisorMoment) -> Duration? {
        guard let due = nextDue(at: moment) else { return nil }
        switch state {
        case .idle, .suspended, .catchingUp, .online: return min(due, moment.uptime + Self.longestWait)
        default: return due
        }
    }

    /// The same without the looks at the wall clock in between: exact for as long as nobody sets it.
    package func nextDue(at moment: SupervisorMoment) -> Duration? {
        switch state {
        case .disabled, .faulted, .connecting, .stopping: return nil
        case .backingOff(let until), .blocked(let until), .held(let until): return until
        case .idle, .suspended: return Self.first(pollDue(moment), pollRetryAt)
        case .catchingUp(let session), .online(let session):
            var due = Self.first(pollDue(moment), pollRetryAt)
            if !session.isStable { due = Self.first(due, session.openedAt + plan.timers.stableAfter) }
            guard session.operation == nil else { return due }
            return Self.first(due, min(session.refreshAt, keepAliveDue(session, moment)))
        }
    }

    /// Distant where nothing is due: such a device is still looked at now and then.
    private static func first(_ left: Duration?, _ right: Duration?) -> Duration {
        min(left ?? distant, right ?? distant)
    }

    private static let distant = Duration.seconds(Int64(1) << 40)

    private func pollDue(_ moment: SupervisorMoment) -> Duration? {
        nextPoll.map { moment.uptime + max($0 - moment.now, .zero) }
    }

    private func keepAliveDue(_ session: SupervisorState.Session, _ moment: SupervisorMoment) -> Duration {
        max(session.lastActivity, moment.lastHeard) + plan.timers.keepAliveIdle
    }

    // MARK: Connecting

    private mutating func start(_ moment: SupervisorMoment) -> [SupervisorAction] {
        lastSeen = moment.uptime
        guard plan.isEnabled else {
            state = .disabled
            return []
        }
        planNextPoll(moment)
        return connect()
    }

    private mutating func connect() -> [SupervisorAction] {
        state = .connecting
        return [.open]
    }

    private mutating func opened(_ moment: SupervisorMoment) -> [SupervisorAction] {
        guard case .connecting = state else { return [.close] }
        lastSeen = moment.uptime
        var actions: [SupervisorAction] = []
        if let awaySince { actions.append(.logBack(after: moment.uptime - awaySince)) }
        awaySince = nil
        if !isRealtimeEnabled { actions.append(.logResumed) }
        isRealtimeEnabled = true
        realtimeDisabledAt = nil
        pollRetryAt = nil
        state = .catchingUp(
            SupervisorState.Session(
                openedAt: moment.uptime, operation: plan.canPoll ? .poll : nil,
                // A poll looks at clock and counts by itself.
                refreshAt: moment.uptime + (plan.canPoll ? plan.timers.identityRefresh : .zero),
                lastActivity: moment.uptime))
        if plan.isCapturing { actions.append(.startCapture) }
        // Somebody waits for the command; the log can be read after it.
        if wantsCommand { return actions + beginCommandFirst() }
        if plan.canPoll { actions.append(.poll) } else { becomeOnline() }
        return actions
    }

    /// A connection could not be made, or was lost.
    private mutating func failed(
        _ fault: DeviceFault, _ moment: SupervisorMoment, _ random: inout some RandomNumberGenerator
    ) -> [SupervisorAction] {
        guard fault.kind != .cancelled else { return [] }
        let wasRefused = lastFault?.kind == .authentication
        lastFault = fault
        // Whoever waits hears of the fault.
        wantsCommand = false
        failuresInARow += 1
        var actions: [SupervisorAction] = []
        let isFirst = awaySince == nil
        if isFirst { awaySince = moment.uptime }
        switch fault.kind {
        case .authentication:
            if !wasRefused { actions.append(.logBlocked(fault)) }
            state = .blocked(until: moment.uptime + plan.timers.blockedRetry)
        case .permanent:
            state = .faulted(fault)
            return [.logFaulted(fault)]
        case .transient, .protocolViolation, .request, .cancelled:
            if isFirst { actions.append(.logAway(fault)) }
            actions += wait(moment, &random)
        }
        if failuresInARow >= plan.timers.alertAfter, !isAlerted {
            isAlerted = true
            actions.append(.alert(failures: failuresInARow, fault))
        }
        return actions
    }

    /// Where a device waits that could not be reached.
    private mutating func wait(
        _ moment: SupervisorMoment, _ random: inout some RandomNumberGenerator
    ) -> [SupervisorAction] {
        guard plan.isCapturing else {
            retryPollLater(moment)
            state = .idle
            return []
        }
        if !isRealtimeEnabled || moment.uptime - lastSeen >= plan.timers.suspendAfter {
            state = .suspended
            guard isRealtimeEnabled else { return [] }
            isRealtimeEnabled = false
            realtimeDisabledAt = moment.now
            return [.logSuspended]
        }
        state = .backingOff(until: moment.uptime + backoff.next(using: &random))
        return []
    }

    private mutating func linkLost(
        _ fault: DeviceFault, _ moment: SupervisorMoment, _ random: inout some RandomNumberGenerator
    ) -> [SupervisorAction] {
        guard state.session != nil else { return [] }
        noteStability(moment)
        lastSeen = moment.uptime
        return [.close] + failed(fault, moment, &random)
    }

    /// Another device answers at the address: nothing is taken from it, and it is looked at again later.
    private mutating func hold(_ moment: SupervisorMoment) -> [SupervisorAction] {
        guard state == .connecting || state.session != nil else { return [] }
        lastSeen = moment.uptime
        wantsCommand = false
        state = .held(until: moment.uptime + plan.timers.heldRetry)
        return [.close]
    }

    /// An operator wants the device to be tried now, whatever it waits for, and capture to be taken up again.
    private mutating func resume(_ moment: SupervisorMoment) -> [SupervisorAction] {
        switch state {
        case .disabled, .stopping, .connecting, .catchingUp, .online: return []
        case .idle, .backingOff, .blocked, .held, .faulted, .suspended: break
        }
        let wasSuspended = !isRealtimeEnabled
        isRealtimeEnabled = true
        realtimeDisabledAt = nil
        lastSeen = moment.uptime
        backoff.reset()
        return (wasSuspended ? [.logResumed] : []) + connect()
    }

    // MARK: Polls and other operations

    private mutating func pollFinished(_ moment: SupervisorMoment) -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        failuresInARow = 0
        isAlerted = false
        lastFault = nil
        pollFailures = 0
        pollRetryAt = nil
        lastSeen = moment.uptime
        session.operation = nil
        session.lastActivity = moment.uptime
        state = .online(session)
        return next(moment)
    }

    private mutating func pollFailed(
        _ fault: DeviceFault, _ moment: SupervisorMoment, _ random: inout some RandomNumberGenerator
    ) -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        guard Self.spares(fault) else { return linkLost(fault, moment, &random) }
        // The link holds and captures go on; only the log cannot be read.
        lastFault = fault
        failuresInARow += 1
        session.operation = nil
        state = .online(session)
        retryPollLater(moment)
        var actions: [SupervisorAction] = pollFailures == 1 ? [.logPollFailed(fault)] : []
        if failuresInARow >= plan.timers.alertAfter, !isAlerted {
            isAlerted = true
            actions.append(.alert(failures: failuresInARow, fault))
        }
        return actions + next(moment)
    }

    /// Whether a link is still good after this fault: the device answers, but not what was hoped for.
    static func spares(_ fault: DeviceFault) -> Bool {
        switch fault.code {
        case .malformed, .incomplete, .oversize, .unexpectedReply, .unsupported: true
        default: false
        }
    }

    private mutating func retryPollLater(_ moment: SupervisorMoment) {
        let retries = plan.timers.pollRetries
        pollRetryAt = pollFailures < retries.count ? moment.uptime + retries[pollFailures] : nil
        pollFailures += 1
    }

    private mutating func operationFinished(_ moment: SupervisorMoment) -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        if session.operation == .refresh { session.refreshAt = moment.uptime + plan.timers.identityRefresh }
        session.operation = nil
        session.lastActivity = moment.uptime
        lastSeen = moment.uptime
        replace(session)
        // A device that is not polled has caught up with its opening.
        if !plan.canPoll { becomeOnline() }
        return next(moment)
    }

    private mutating func pollRequested() -> [SupervisorAction] {
        switch state {
        case .disabled, .faulted, .stopping, .connecting, .held: return []
        case .idle, .backingOff, .blocked, .suspended: return connect()
        case .catchingUp(var session), .online(var session):
            guard session.operation == nil else {
                session.wantsPoll = true
                replace(session)
                return []
            }
            return begin(.poll, session)
        }
    }

    private mutating func commandRequested() -> [SupervisorAction] {
        switch state {
        case .disabled, .faulted, .held, .stopping: return []
        case .connecting:
            wantsCommand = true
            return []
        case .idle, .backingOff, .blocked, .suspended:
            wantsCommand = true
            return connect()
        case .catchingUp(let session), .online(let session):
            guard session.operation == nil else {
                wantsCommand = true
                return []
            }
            return begin(.command, session)
        }
    }

    /// In a session that was just opened: what else is due waits.
    private mutating func beginCommandFirst() -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        wantsCommand = false
        session.wantsPoll = plan.canPoll
        return begin(.command, session)
    }

    private mutating func clockSettingWanted() -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        guard session.operation == nil else {
            session.wantsClock = true
            replace(session)
            return []
        }
        return begin(.setClock, session)
    }

    /// What a session does after an operation: a command that waits, the clock, a poll that is due, or nothing; a session
    /// for polls only is closed.
    private mutating func next(_ moment: SupervisorMoment) -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        if wantsCommand {
            wantsCommand = false
            return begin(.command, session)
        }
        if session.wantsClock {
            session.wantsClock = false
            return begin(.setClock, session)
        }
        if session.wantsPoll {
            session.wantsPoll = false
            return begin(.poll, session)
        }
        guard !plan.isCapturing else { return [] }
        state = .idle
        return [.close]
    }

    private mutating func begin(
        _ operation: SupervisorState.Operation, _ session: SupervisorState.Session
    ) -> [SupervisorAction] {
        var session = session
        session.operation = operation
        replace(session)
        switch operation {
        case .poll: return [.poll]
        case .keepAlive: return [.keepAlive]
        case .refresh: return [.refresh]
        case .command: return [.command]
        case .setClock: return [.setClock]
        }
    }

    // MARK: Time

    private mutating func timePassed(_ moment: SupervisorMoment) -> [SupervisorAction] {
        let pollIsDue = takeDuePoll(moment)
        switch state {
        case .disabled, .faulted, .connecting, .stopping: return []
        case .backingOff(let until), .blocked(let until), .held(let until):
            return moment.uptime >= until ? connect() : []
        case .idle, .suspended: return pollIsDue ? connect() : []
        case .catchingUp(var session), .online(var session):
            noteStability(moment)
            session = state.session ?? session
            if pollIsDue, plan.canPoll {
                guard session.operation == nil else {
                    session.wantsPoll = session.wantsPoll || session.operation != .poll
                    replace(session)
                    return []
                }
                return begin(.poll, session)
            }
            guard session.operation == nil else { return [] }
            if moment.uptime >= session.refreshAt { return begin(.refresh, session) }
            if moment.uptime >= keepAliveDue(session, moment) { return begin(.keepAlive, session) }
            return []
        }
    }

    /// Whether a poll is due by the schedule or as a retry. Missed runs collapse into one.
    private mutating func takeDuePoll(_ moment: SupervisorMoment) -> Bool {
        var isDue = false
        if let due = nextPoll, moment.now >= due {
            isDue = true
            planNextPoll(moment)
        } else if wasPutBack(moment) {
            // What was planned by the old time would come late by as much as the clock was moved.
            planNextPoll(moment)
        }
        lastMoment = moment
        if let retry = pollRetryAt, moment.uptime >= retry {
            isDue = true
            pollRetryAt = nil
        }
        return isDue
    }

    /// The wall clock lost time against the uptime since the last look.
    private func wasPutBack(_ moment: SupervisorMoment) -> Bool {
        guard let lastMoment else { return false }
        return (moment.now - lastMoment.now) - (moment.uptime - lastMoment.uptime) < .zero - Self.longestWait
    }

    private mutating func planNextPoll(_ moment: SupervisorMoment) {
        nextPoll = plan.canPoll ? plan.schedule.next(after: moment.now, in: plan.zone) : nil
    }

    private mutating func noteStability(_ moment: SupervisorMoment) {
        guard var session = state.session, moment.uptime - session.openedAt >= plan.timers.stableAfter else { return }
        session.isStable = true
        backoff.reset()
        replace(session)
    }

    private mutating func replace(_ session: SupervisorState.Session) {
        switch state {
        case .catchingUp: state = .catchingUp(session)
        case .online: state = .online(session)
        default: break
        }
    }

    private mutating func becomeOnline() {
        guard let session = state.session else { return }
        failuresInARow = 0
        isAlerted = false
        lastFault = nil
        state = .online(session)
    }
}
