package import DeviceKit

/// The life of one device: pure, so that a month of it is tested in a second.
///
/// It takes events with their moment and answers with actions; ``Supervisor`` performs them.
package struct SupervisorMachine: Sendable {
    package let plan: Plan
    package internal(set) var state: SupervisorState = .connecting
    /// Failures since the device last served us.
    package var failuresInARow: Int { failures.count }
    package var lastFault: DeviceFault? { failures.last }
    package private(set) var isRealtimeEnabled: Bool
    package private(set) var realtimeDisabledAt: Instant?
    /// The next poll by the schedule.
    package var nextPoll: Instant? { timetable.next }

    var timetable: PollTimetable
    var failures = FailureRow()
    /// A command waits for the session, or for what the session does now.
    var wantsCommand = false
    private var backoff: Backoff
    /// The uptime of the failure that began the absence.
    private var awaySince: Duration?
    /// The last uptime at which the device was known to be there; the start counts as one.
    var lastSeen: Duration = .zero

    /// Waits are cut at this length, so that a step of the wall clock is noticed.
    package static let longestWait = Duration.seconds(60)

    package init(_ plan: Plan) {
        self.plan = plan
        isRealtimeEnabled = plan.suspendedSince == nil
        realtimeDisabledAt = plan.suspendedSince
        timetable = PollTimetable(plan)
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
        case .idle, .suspended: return timetable.due(at: moment) ?? Self.distant
        case .catchingUp(let session), .online(let session):
            var due = timetable.due(at: moment) ?? Self.distant
            if !session.isStable { due = min(due, session.openedAt + plan.timers.stableAfter) }
            guard session.operation == nil else { return due }
            return min(due, session.refreshAt, keepAliveDue(session, moment))
        }
    }

    /// Where nothing is due: such a device is still looked at now and then.
    private static let distant = Duration.seconds(Int64(1) << 40)

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
        timetable.planNext(moment)
        return connect()
    }

    mutating func connect() -> [SupervisorAction] {
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
        timetable.opened()
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
        let wasRefused = failures.last?.kind == .authentication
        failures.add(fault)
        // Whoever waits hears of the fault.
        wantsCommand = false
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
        return actions + failures.alert(after: plan.timers.alertAfter)
    }

    /// Where a device waits that could not be reached.
    private mutating func wait(
        _ moment: SupervisorMoment, _ random: inout some RandomNumberGenerator
    ) -> [SupervisorAction] {
        guard plan.isCapturing else {
            timetable.failed(moment)
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

    mutating func linkLost(
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

    // MARK: Time

    private mutating func timePassed(_ moment: SupervisorMoment) -> [SupervisorAction] {
        let pollIsDue = timetable.takeDue(moment)
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

    private mutating func noteStability(_ moment: SupervisorMoment) {
        guard var session = state.session, moment.uptime - session.openedAt >= plan.timers.stableAfter else { return }
        session.isStable = true
        backoff.reset()
        replace(session)
    }

    mutating func replace(_ session: SupervisorState.Session) {
        switch state {
        case .catchingUp: state = .catchingUp(session)
        case .online: state = .online(session)
        default: break
        }
    }

    mutating func becomeOnline() {
        guard let session = state.session else { return }
        failures.end()
        state = .online(session)
    }
}
