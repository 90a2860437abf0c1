internal import DeviceKit

/// What a session does, one thing at a time: polls, commands, keep-alives, readings and settings of the clock.
extension SupervisorMachine {
    mutating func pollFinished(_ moment: SupervisorMoment) -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        failures.end()
        timetable.succeeded()
        lastSeen = moment.uptime
        session.operation = nil
        session.lastActivity = moment.uptime
        state = .online(session)
        return next(moment)
    }

    mutating func pollFailed(
        _ fault: DeviceFault, _ moment: SupervisorMoment, _ random: inout some RandomNumberGenerator
    ) -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        guard Self.spares(fault) else { return linkLost(fault, moment, &random) }
        // The link holds and captures go on; only the log cannot be read.
        failures.add(fault)
        session.operation = nil
        state = .online(session)
        timetable.failed(moment)
        let news: [SupervisorAction] = timetable.failures == 1 ? [.logPollFailed(fault)] : []
        return news + failures.alert(after: plan.timers.alertAfter) + next(moment)
    }

    /// Whether a link is still good after this fault: the device answers, but not what was hoped for.
    static func spares(_ fault: DeviceFault) -> Bool {
        switch fault.code {
        case .malformed, .incomplete, .oversize, .unexpectedReply, .unsupported: true
        default: false
        }
    }

    mutating func operationFinished(_ moment: SupervisorMoment) -> [SupervisorAction] {
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

    mutating func pollRequested() -> [SupervisorAction] {
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

    mutating func commandRequested() -> [SupervisorAction] {
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
    mutating func beginCommandFirst() -> [SupervisorAction] {
        guard var session = state.session else { return [] }
        wantsCommand = false
        session.wantsPoll = plan.canPoll
        return begin(.command, session)
    }

    mutating func clockSettingWanted() -> [SupervisorAction] {
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
    mutating func next(_ moment: SupervisorMoment) -> [SupervisorAction] {
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

    mutating func begin(
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
}
