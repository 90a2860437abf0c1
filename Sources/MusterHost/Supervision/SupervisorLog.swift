internal import Logging

/// The lines of a device's life. Each is written once for a change, never for a repetition.
enum SupervisorLog {
    static func write(_ action: SupervisorAction, to log: Logger) {
        switch action {
        case .logAway(let fault):
            log.warning("the device went away", metadata: ["error": "\(fault)"])
        case .logBack(let absence):
            log.notice("the device is back", metadata: ["away": "\(absence.components.seconds)s"])
        case .logBlocked(let fault):
            log.error("ADMIN ALERT the device refuses us: trying rarely from now on", metadata: ["error": "\(fault)"])
        case .logFaulted(let fault):
            log.error("ADMIN ALERT the device is given up until its settings change", metadata: ["error": "\(fault)"])
        case .logPollFailed(let fault):
            log.warning("the device's log could not be read", metadata: ["error": "\(fault)"])
        case .alert(let failures, let fault):
            log.error("ADMIN ALERT the device fails", metadata: ["failures": "\(failures)", "error": "\(fault)"])
        case .logSuspended:
            log.error("ADMIN ALERT no connection for a long time: capture is suspended, polls go on by the schedule")
        case .logResumed:
            log.notice("capture is resumed")
        case .open, .startCapture, .poll, .keepAlive, .refresh, .setClock, .command, .close: break
        }
    }
}
