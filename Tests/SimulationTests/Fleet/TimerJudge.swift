internal import DeviceKit
internal import MusterHost

/// Works out from what happened, independently of the machine, when each timer of a device has to fire, and says where it
/// did not. Times are milliseconds since the simulation began.
struct TimerJudge {
    private let timers: LifecycleTimers
    private let isCapturing: Bool
    private let schedule: PollSchedule
    private let zone: DeviceTimeZone

    /// When the next attempt to connect has to come.
    private enum Attempt {
        case none
        case between(Int64, Int64)
        case at(Int64)
    }

    private var attempt = Attempt.none
    private var doublings = 0
    private var failures = 0
    private var isAlerted = false
    private var lastSeen: Int64
    private var isSuspended: Bool
    private var openedAt: Int64?
    private var activityAt: Int64 = 0
    private var refreshDue: Int64 = 0
    private var busySince: Int64?
    private var busyEnded: Int64 = -1
    private var pollRetries = 0
    private var retryAt: Int64?
    private var isPollWanted = false
    /// The last attempt to connect, and the last failure.
    private var attemptedAt: Int64 = -1
    private var failedAt: Int64 = -1
    /// The run of the schedule that the last poll served, while nothing came between.
    private var lastRun: Instant?
    private(set) var complaint: String?

    init(
        timers: LifecycleTimers, isCapturing: Bool, schedule: PollSchedule, zone: DeviceTimeZone, isSuspended: Bool,
        at now: Int64
    ) {
        self.timers = timers
        self.isCapturing = isCapturing
        self.schedule = schedule
        self.zone = zone
        self.isSuspended = isSuspended
        lastSeen = now
    }

    /// The host's clock was set: the next run may be any.
    mutating func hostClockStepped() { lastRun = nil }

    /// - Parameters:
    ///   - heard: when the device last sent something by itself.
    ///   - now: the host's wall clock.
    mutating func observe(
        _ event: SupervisorEvent, _ actions: [SupervisorAction], at time: Int64, heard: Int64, now: Instant,
        isClockSteady: Bool
    ) {
        noteFailure(event, actions, at: time)
        switch event {
        case .opened where openedAt == nil && !actions.contains(.close):
            (openedAt, activityAt, lastSeen) = (time, time, time)
            refreshDue = time + timers.identityRefresh.wholeMilliseconds
            isSuspended = false
            retryAt = nil
            attempt = .none
            lastRun = nil
        case .pollFinished:
            // Runs that fell due meanwhile have collapsed into it.
            if let busySince, time - busySince > 60_000 { lastRun = nil }
            (failures, isAlerted, pollRetries, retryAt) = (0, false, 0, nil)
            ended(at: time)
        case .operationFinished:
            ended(at: time)
            if refreshDue == .max { refreshDue = time + timers.identityRefresh.wholeMilliseconds }
        case .pollRequested: isPollWanted = true
        case .anotherAnswers:
            attempt = .at(time + timers.heldRetry.wholeMilliseconds)
            (openedAt, lastSeen, busySince, lastRun) = (nil, time, nil, nil)
        case .resumeRequested, .accepted:
            if actions.contains(.open) {
                attempt = .none
                if event == .resumeRequested { (isSuspended, lastSeen, doublings) = (false, time, 0) }
            }
        default: break
        }
        for action in actions { judge(action, event, at: time, heard: heard, now: now, isClockSteady) }
    }

    private mutating func ended(at time: Int64) {
        (busySince, busyEnded, activityAt, lastSeen) = (nil, time, time, time)
    }

    /// What a failure has to lead to.
    private mutating func noteFailure(_ event: SupervisorEvent, _ actions: [SupervisorAction], at time: Int64) {
        let fault: DeviceFault
        switch event {
        case .openFailed(let reason): fault = reason
        case .captureEnded(let reason), .operationFailed(let reason):
            guard openedAt != nil else { return }
            fault = reason
            lostLink(at: time)
        case .pollFailed(let reason):
            guard openedAt != nil else { return }
            fault = reason
            if reason.code == .malformed {
                failures += 1
                let retries = timers.pollRetries
                retryAt = pollRetries < retries.count ? time + retries[pollRetries].wholeMilliseconds : nil
                pollRetries += 1
                (busySince, busyEnded, lastRun) = (nil, time, nil)
                return noteAlert(actions, at: time)
            }
            lostLink(at: time)
        default: return
        }
        failures += 1
        failedAt = time
        noteAlert(actions, at: time)
        guard fault.kind != .authentication else {
            attempt = .at(time + timers.blockedRetry.wholeMilliseconds)
            return
        }
        guard isCapturing else {
            attempt = .none
            let retries = timers.pollRetries
            retryAt = pollRetries < retries.count ? time + retries[pollRetries].wholeMilliseconds : nil
            pollRetries += 1
            return
        }
        let isTooLong = time - lastSeen >= timers.suspendAfter.wholeMilliseconds
        if actions.contains(.logSuspended) != (isTooLong && !isSuspended) {
            complain("capture was \(isTooLong ? "not " : "")suspended after \(time - lastSeen) ms", at: time)
        }
        if isTooLong || isSuspended {
            isSuspended = true
            attempt = .none
            return
        }
        let base = timers.reconnectBase.wholeMilliseconds
        let ceiling = min(timers.reconnectCeiling.wholeMilliseconds, base << Int64(min(doublings, 30)))
        doublings += 1
        attempt = .between(time + ceiling / 2, time + ceiling)
    }

    private mutating func lostLink(at time: Int64) {
        if let openedAt, time - openedAt >= timers.stableAfter.wholeMilliseconds { doublings = 0 }
        (openedAt, lastSeen, busySince, isPollWanted, lastRun) = (nil, time, nil, false, nil)
    }

    private mutating func noteAlert(_ actions: [SupervisorAction], at time: Int64) {
        let isDue = failures >= timers.alertAfter && !isAlerted
        let isTold = actions.contains { if case .alert = $0 { true } else { false } }
        if isDue != isTold { complain("\(failures) failures in a row: alert \(isTold)", at: time) }
        if isTold { isAlerted = true }
    }

    private mutating func judge(
        _ action: SupervisorAction, _ event: SupervisorEvent, at time: Int64, heard: Int64, now: Instant,
        _ isClockSteady: Bool
    ) {
        switch action {
        case .open:
            switch (attempt, event) {
            case (_, .started), (_, .pollRequested), (_, .resumeRequested), (_, .accepted): break
            case (.at(let due), _): if time != due { complain("tried at \(time), due at \(due)", at: time) }
            case (.between(let first, let last), _):
                // Jitter is drawn finer than a millisecond.
                if time < first || time > last + 1 {
                    complain("tried at \(time), due between \(first) and \(last)", at: time)
                }
            case (.none, _):
                if let due = retryAt, due <= time {
                    (retryAt, lastRun) = (nil, nil)
                } else {
                    judgeRun(now, at: time, isClockSteady)
                }
            }
            attempt = .none
            attemptedAt = time
        case .poll:
            busySince = time
            if event == .opened || event == .pollFinished || event == .operationFinished || isPollWanted {
                // A run that falls due while it is under way is part of it.
                lastRun = nil
                isPollWanted = false
            } else if let due = retryAt, due <= time {
                (retryAt, lastRun) = (nil, nil)
            } else if case .timePassed = event {
                judgeRun(now, at: time, isClockSteady)
            }
        case .keepAlive:
            busySince = time
            let due = max(max(activityAt, heard) + timers.keepAliveIdle.wholeMilliseconds, busyEnded)
            if time != due { complain("asked for life at \(time), due at \(due)", at: time) }
        case .refresh:
            busySince = time
            let due = max(refreshDue, busyEnded)
            if time != due { complain("refreshed at \(time), due at \(due)", at: time) }
            refreshDue = .max
        case .setClock: busySince = time
        case .close: openedAt = nil
        default: break
        }
    }

    /// The moment has to be a run of the schedule, to the millisecond, and the one after the last.
    private mutating func judgeRun(_ now: Instant, at time: Int64, _ isClockSteady: Bool) {
        guard isClockSteady else {
            lastRun = nil
            return
        }
        let run = schedule.next(after: now - .milliseconds(1), in: zone)
        if run != now, time == failedAt {
            // A run that fell due during an attempt follows it when it fails.
            let began = now - .milliseconds(time - attemptedAt)
            lastRun = nil
            if let due = schedule.next(after: began, in: zone), due <= now { return }
        }
        if run != now {
            complain("polled at \(now), due at \(run?.description ?? "no time")", at: time)
        } else if let lastRun, schedule.next(after: lastRun, in: zone) != now {
            complain("a run was left out between \(lastRun) and \(now)", at: time)
        }
        lastRun = now
    }

    private mutating func complain(_ text: String, at time: Int64) {
        complaint = complaint ?? text
    }

    mutating func takeComplaint() -> String? {
        defer { complaint = nil }
        return complaint
    }
}
