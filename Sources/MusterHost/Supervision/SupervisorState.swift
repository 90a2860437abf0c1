public import DeviceKit

/// Where a device stands in its life.
public enum SupervisorState: Sendable, Hashable {
    /// Switched off in the configuration. Nothing happens.
    case disabled
    /// The driver opens a session. Next: ``catchingUp``, or where the fault leads.
    case connecting
    /// A session is open; captures are subscribed and the log is read from the cursor. Next: ``online``.
    case catchingUp(Session)
    /// The log has been read to its end; captures run, polls come by the schedule.
    case online(Session)
    /// No session is needed until the next poll: the device is polled only. Next: ``connecting``.
    case idle
    /// The link failed. Next: ``connecting`` at this uptime.
    case backingOff(until: Duration)
    /// The device refused the credentials. Next: ``connecting`` at this uptime, rarely.
    case blocked(until: Duration)
    /// Another device answers at the address: nothing is taken from it until an operator accepts it. Next: ``connecting``
    /// at this uptime, to see whether the right one is back.
    case held(until: Duration)
    /// Nothing will change until the settings do.
    case faulted(DeviceFault)
    /// No connection for a day: capture is given up, polls still try by the schedule.
    case suspended
    /// The host ends. Nothing new is begun.
    case stopping

    /// An open session.
    public struct Session: Sendable, Hashable {
        /// The uptime at which it was opened.
        var openedAt: Duration
        /// What the supervisor asks the device now; one thing at a time.
        var operation: Operation?
        /// A poll is due as soon as the operation has ended.
        var wantsPoll = false
        /// The clock is to be set as soon as the operation has ended.
        var wantsClock = false
        /// The uptime at which identity and counts are read anew.
        var refreshAt: Duration
        /// It has lasted long enough for the back-off to begin anew.
        var isStable = false
        /// The device was heard, or asked, at this uptime.
        var lastActivity: Duration
    }

    public enum Operation: Sendable, Hashable { case poll, keepAlive, refresh, setClock, command }

    /// The word in listings and logs.
    public var name: String {
        switch self {
        case .disabled: "disabled"
        case .connecting: "connecting"
        case .catchingUp: "catching-up"
        case .online: "online"
        case .idle: "idle"
        case .backingOff: "backing-off"
        case .blocked: "blocked"
        case .held: "held"
        case .faulted: "faulted"
        case .suspended: "suspended"
        case .stopping: "stopping"
        }
    }

    package var session: Session? {
        switch self {
        case .catchingUp(let session), .online(let session): session
        default: nil
        }
    }
}

/// What can happen to a device.
package enum SupervisorEvent: Sendable, Hashable {
    case started
    /// A session is open.
    case opened
    case openFailed(DeviceFault)
    case pollFinished
    case pollFailed(DeviceFault)
    case operationFinished
    case operationFailed(DeviceFault)
    /// The capture ended: the link is gone.
    case captureEnded(DeviceFault)
    /// The device at the address is not the one that was accepted.
    case anotherAnswers
    /// An operator accepted what is there now.
    case accepted
    /// An operator wants the device tried now, and capture taken up again.
    case resumeRequested
    /// The device's clock is to be set when there is time for it.
    case clockSettingWanted
    /// Somebody wants a poll now.
    case pollRequested
    /// A command waits for a session.
    case commandRequested
    case timePassed
    case stopRequested
}

/// What the supervisor does about it, in this order.
package enum SupervisorAction: Sendable, Hashable {
    case open
    case startCapture
    case poll
    case keepAlive
    case refresh
    /// The first command that waits.
    case command
    case setClock
    /// Ends the capture and closes the session.
    case close
    /// The device went away: said once.
    case logAway(DeviceFault)
    /// The device is back: said once.
    case logBack(after: Duration)
    case logBlocked(DeviceFault)
    case logFaulted(DeviceFault)
    /// The log could not be read to its end; the link holds.
    case logPollFailed(DeviceFault)
    /// So many failures in a row.
    case alert(failures: Int, DeviceFault)
    case logSuspended
    case logResumed
}

/// When something happened: wall time for schedules, uptime for waits.
package struct SupervisorMoment: Sendable, Hashable {
    package var now: Instant
    package var uptime: Duration
    /// The uptime at which the device last sent something by itself.
    package var lastHeard: Duration

    package init(now: Instant, uptime: Duration, lastHeard: Duration = .zero) {
        self.now = now
        self.uptime = uptime
        self.lastHeard = lastHeard
    }
}
