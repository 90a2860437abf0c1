package import DeviceKit
package import Journal

/// What is known of one device: makes its status, its conditions and the events that tell of them from what sessions
/// report. Pure, like ``SupervisorMachine``, beside which it stands.
package struct StatusKeeper: Sendable {
    package struct Plan: Sendable {
        package var zone: DeviceTimeZone
        package var clock: ClockPlan

        package init(zone: DeviceTimeZone, clock: ClockPlan) {
            self.zone = zone
            self.clock = clock
        }
    }

    package private(set) var status: DeviceStatus

    private let plan: Plan
    private var events: [DeviceEvent] = []
    /// Of the host's clock; a device that is begun anew goes on with what the host knows.
    package private(set) var watch: HostClockWatch
    /// How long the device was away, until its log has been read again.
    private var absence: Duration?
    /// What the poll that runs began with.
    private var beginning: (now: Instant, uptime: Duration)?
    private var reading: ClockSample?
    /// The uptime at the last look.
    private var uptime = Duration.zero
    /// The uptime since which punches are received as they happen without a break.
    private var capturedSince: Duration?
    /// The uptime at the beginning of the last poll of this life that read the log to its end.
    private var readAt: Duration?
    /// The uptime at which the clock was last set, or could not be set.
    private var clockTriedAt: Duration?

    /// The log's fill at which an operator is told, and the one below which it is well again.
    private static let nearlyFull = (warning: 0.9, critical: 0.98, well: 0.85)
    /// How long an operator is shown what was and is no more.
    private static let shownFor = Duration.seconds(86_400)
    /// Between two attempts to set a clock: one that does not hold is not set all the time.
    static let clockRetry = Duration.seconds(3_600)
    /// Less is not worth setting: devices show whole seconds, and the way takes time.
    private static let smallestCorrection = Duration.seconds(2)

    package init(_ device: DeviceID, _ plan: Plan, now: Instant, watch: HostClockWatch = HostClockWatch()) {
        self.plan = plan
        self.watch = watch
        status = DeviceStatus(device: device, state: "connecting", updatedAt: now)
    }

    /// Takes over what an earlier life of the host knew.
    package mutating func restore(_ stored: DeviceStatus) {
        let state = status.state
        status = stored
        status.state = state
        // Before serial numbers had to be accepted, the last one was the right one.
        status.acceptedSerial = stored.acceptedSerial ?? stored.identity.serialNumber
        status.isConnected = false
        status.failuresInARow = 0
    }

    /// Nobody works with the device now, and nobody supervises it: its state after a poll without a running host.
    package mutating func rest() {
        status.state = SupervisorState.idle.name
        status.isConnected = false
    }

    /// An operator takes capture up again while no host runs.
    package mutating func resume() {
        status.isRealtimeEnabled = true
        status.realtimeDisabledAt = nil
        clear(.captureSuspended)
    }

    /// What has happened since the last call, in order.
    package mutating func takeEvents() -> [DeviceEvent] {
        defer { events = [] }
        return events
    }

    // MARK: The life of the device

    /// Looks at the host's clock. Before anything else that happens.
    package mutating func look(now: Instant, uptime: Duration) {
        self.uptime = uptime
        watch.look(now: now, uptime: uptime)
    }

    /// Takes over what the machine decided, after an event.
    package mutating func follow(
        _ machine: SupervisorMachine, _ event: SupervisorEvent, _ actions: [SupervisorAction], now: Instant
    ) {
        if event == .opened, machine.state.session != nil { connected(now: now) }
        for action in actions { note(action, now: now) }
        let state = machine.state.name
        if state != status.state { tell(.entered(state: state)) }
        status.state = state
        status.isConnected = machine.state.session != nil
        if !status.isConnected { capturedSince = nil }
        status.failuresInARow = machine.failuresInARow
        status.isRealtimeEnabled = machine.isRealtimeEnabled
        status.realtimeDisabledAt = machine.realtimeDisabledAt
        if let fault = machine.lastFault, status.lastError != fault.message {
            status.lastError = fault.message
            status.lastErrorAt = now
        }
    }

    private mutating func connected(now: Instant) {
        tell(.connected)
        for code in [DeviceCondition.Code.unauthorised, .faulted, .captureSuspended] { clear(code) }
    }

    private mutating func note(_ action: SupervisorAction, now: Instant) {
        switch action {
        case .startCapture: capturedSince = uptime
        case .logAway(let fault): tell(.wentAway(fault))
        case .logBack(let away):
            absence = away
            tell(.cameBack(after: away))
        case .logBlocked(let fault):
            tell(.blocked(fault))
            raise(.unauthorised, fault.message, now: now)
        case .logFaulted(let fault):
            tell(.faulted(fault))
            raise(.faulted, fault.message, now: now)
        case .alert(let failures, let fault): tell(.failing(failures: failures, fault))
        case .logSuspended:
            tell(.suspended)
            raise(.captureSuspended, "no connection for a long time: punches are only polled", now: now)
        case .logResumed:
            clear(.captureSuspended)
            tell(.resumed)
        case .open, .poll, .keepAlive, .refresh, .setClock, .command, .close, .logPollFailed: break
        }
    }

    // MARK: Who it is

    /// Whether the device may be worked with: it is the first one, or the accepted one.
    ///
    /// A device that tells no serial number cannot be told apart from another one.
    package mutating func identified(_ identity: DeviceIdentity, now: Instant) -> Bool {
        guard let serial = identity.serialNumber else {
            status.identity = identity
            return true
        }
        let accepted = status.acceptedSerial ?? serial
        guard serial == accepted else {
            status.heldSerial = serial
            raise(
                .deviceReplaced,
                "serial number \(serial) answers, \(accepted) is expected: nothing is taken from it; if it is the right one: "
                    + "muster device \(status.device) accept", now: now)
            return false
        }
        status.acceptedSerial = serial
        status.heldSerial = nil
        status.identity = identity
        clear(.deviceReplaced)
        return true
    }

    /// Why nothing is done with a device that is held.
    package var heldFault: DeviceFault {
        DeviceFault(
            .deviceReplaced,
            status.conditions[.deviceReplaced]?.message
                ?? "another device answers at the address: muster device \(status.device) accept")
    }

    /// An operator accepts what is there: the device that is held, a gap, and what is shown for their notice.
    /// - Returns: whether there was anything to accept.
    package mutating func accept() -> Bool {
        let held = status.heldSerial
        if let held { status.acceptedSerial = held }
        status.heldSerial = nil
        status.gap = nil
        var isAnything = held != nil
        for code in [DeviceCondition.Code.deviceReplaced, .gap, .logCleared, .clockSetBack] {
            isAnything = clear(code) || isAnything
        }
        if isAnything { tell(.accepted) }
        return isAnything
    }

    // MARK: Its log

    package mutating func found(_ inventory: LogInventory?, _ reset: SourceReset?, now: Instant) {
        if let inventory {
            status.inventory = inventory
            noteFill(inventory, now: now)
        }
        guard let reset else { return }
        if reset.reason == .logRewritten { raise(.logCleared, reset.message, now: now) }
    }

    private mutating func noteFill(_ inventory: LogInventory, now: Instant) {
        guard let count = inventory.recordCount, let capacity = inventory.recordCapacity, capacity > 0 else { return }
        let share = Double(count) / Double(capacity)
        if share >= Self.nearlyFull.warning {
            raise(
                .logNearlyFull, "the device's log holds \(count) of \(capacity) records",
                severity: share >= Self.nearlyFull.critical ? .critical : .warning, now: now)
        } else if share < Self.nearlyFull.well {
            clear(.logNearlyFull)
        }
    }

    /// A poll begins: the device's log has not been asked for yet.
    /// - Parameter reading: of the device's clock, just now; `nil` for a device that shows none.
    package mutating func pollBegan(_ reading: ClockSample?, now: Instant, uptime: Duration) {
        beginning = (now, uptime)
        self.reading = reading
    }

    /// The log was read to its end.
    package mutating func polled(_ summary: PollSummary, took: Duration, now: Instant) {
        let complete = beginning.flatMap {
            Watermark.after(reading, beginning: $0, zone: plan.zone, plan: plan.clock, watch: watch)
        }
        // A poll before this one may have found the new log, and not have come to its end.
        let isUnfinished = status.readEpoch.map { $0 != summary.firstEpoch } ?? false
        if summary.isLogAnew || isUnfinished { noteGap(now: now) }
        status.readEpoch = summary.epoch
        if let complete, complete > status.completeThrough ?? Instant(millisecondsSince1970: .min) {
            status.completeThrough = complete
            tell(.complete(through: complete))
        }
        status.lastPollAt = now
        readAt = beginning?.uptime
        beginning = nil
        for code in [DeviceCondition.Code.logCleared, .clockSetBack] {
            if let shown = status.conditions[code], now - shown.since >= Self.shownFor { clear(code) }
        }
        tell(.polled(summary, took: took))
        if let away = absence { tell(.recovered(after: away, punches: summary.journaled)) }
        absence = nil
    }

    package mutating func pollFailed(_ fault: DeviceFault, took: Duration) {
        beginning = nil
        tell(.pollFailed(fault, took: took))
    }

    /// What stood in the log after it was last read may be lost; unless every punch since then was received as it
    /// happened.
    private mutating func noteGap(now: Instant) {
        guard let from = status.completeThrough ?? status.lastPollAt else { return }
        if let capturedSince, let readAt, capturedSince <= readAt { return }
        // It ends when the reading began, by whichever clock is ahead.
        let host = beginning.map { watch.latest(now: $0.now, uptime: $0.uptime) } ?? now
        let end = max(host, reading?.instant(in: plan.zone) ?? host)
        let gap = StatusGap(
            from: min(status.gap?.from ?? from, from), until: max(status.gap?.until ?? end, max(end, from)))
        status.gap = gap
        let zone = plan.zone
        raise(
            .gap,
            "the log began anew: punches from \(zone.localTime(at: gap.from)) to \(zone.localTime(at: gap.until)) may be "
                + "missing; muster device \(status.device) accept ends this notice", now: now)
    }

    // MARK: Its clock

    /// The device's clock was read.
    /// - Returns: whether it is to be set now.
    package mutating func clockRead(_ reading: ClockSample) -> Bool {
        status.clockReadAt = reading.now
        guard let drift = reading.drift(in: plan.zone) else {
            status.clockDrift = nil
            clear(.clockOff)
            if case .nothing(let why) = reading.shown { raise(.clockUnreadable, why, now: reading.now) }
            return wantsSetting(drift: nil, reading)
        }
        clear(.clockUnreadable)
        if status.clockDrift != drift { tell(.clockRead(drift: drift)) }
        status.clockDrift = drift
        if drift.magnitude > plan.clock.maxDrift {
            raise(.clockOff, Self.text(drift), now: reading.now)
        } else {
            clear(.clockOff)
        }
        return wantsSetting(drift: drift, reading)
    }

    private static func text(_ drift: Duration) -> String {
        let amount = DurationText.format(drift.magnitude)
        let side = drift > .zero ? "ahead" : "behind"
        let isHour = drift.magnitude >= .seconds(3_570) && drift.magnitude <= .seconds(3_630)
        return "the device's clock is \(amount) \(side)" + (isHour ? ": look at its daylight-saving time" : "")
    }

    private func wantsSetting(drift: Duration?, _ reading: ClockSample) -> Bool {
        // A host that was set itself a moment ago is no example.
        guard plan.clock.sync != .never, !watch.isDoubtful else { return false }
        if let clockTriedAt, reading.uptime - clockTriedAt < Self.clockRetry { return false }
        guard let drift else { return true }
        if drift.magnitude > plan.clock.maxDrift { return true }
        guard plan.clock.sync == .daily, drift.magnitude >= Self.smallestCorrection else { return false }
        return status.clockSetAt.map { (reading.now - $0).magnitude >= .seconds(86_400) } ?? true
    }

    /// The device's clock was set.
    /// - Parameters:
    ///   - reading: of the clock afterwards.
    ///   - newestPunch: of the device in the journal, where the clock went back.
    package mutating func clockSet(_ reading: ClockSample?, newestPunch: Instant?) {
        guard let reading else { return }
        clockTriedAt = reading.uptime
        let before = status.clockDrift
        status.clockSetAt = reading.now
        _ = clockRead(reading)
        let step = (status.clockDrift ?? .zero) - (before ?? .zero)
        let isAcross = step < .zero && newestPunch.map { $0 > reading.now } == true
        tell(.clockSet(by: step, acrossPunches: isAcross))
        guard isAcross else { return }
        raise(
            .clockSetBack,
            "the device's clock was set back by \(DurationText.format(step.magnitude)), past punches of that span: times of "
                + "that span come twice", now: reading.now)
    }

    /// The device does not let its clock be set.
    package mutating func clockSettingFailed(uptime: Duration) { clockTriedAt = uptime }

    // MARK: Telling

    private mutating func tell(_ event: DeviceEvent) { events.append(event) }

    private mutating func raise(
        _ code: DeviceCondition.Code, _ message: String, severity: DeviceCondition.Severity? = nil, now: Instant
    ) {
        let before = status.conditions[code]
        let change = status.conditions.raise(DeviceCondition(code, message, severity: severity, since: now))
        guard let condition = status.conditions[code] else { return }
        if change == .began || before.map({ $0.severity < condition.severity }) == true { tell(.raised(condition)) }
    }

    /// - Returns: whether the condition held.
    @discardableResult
    private mutating func clear(_ code: DeviceCondition.Code) -> Bool {
        guard let condition = status.conditions.clear(code) else { return false }
        tell(.cleared(condition))
        return true
    }

    /// The status is about to be kept: when it last changed.
    package mutating func stamp(_ now: Instant) { status.updatedAt = now }
}
