internal import DeviceKit
internal import Journal
internal import MusterHost

/// A fleet over weeks of virtual time, in one thread: the machines of the host, driven as ``Supervisor`` drives them,
/// against modelled terminals that know the truth. One seed decides traffic, faults and order.
public final class FleetSimulation {
    public struct Options: Sendable, Hashable {
        public var seed: UInt64
        public var deviceCount = 500
        public var days = 30

        public init(seed: UInt64) { self.seed = seed }
    }

    public struct Report: Sendable, Hashable {
        public var seed: UInt64
        /// What went against a promise; empty when all is well. At most a few for each seed.
        public var violations: [String] = []
        public var eventCount = 0
        public var punchCount = 0
        public var journaledCount = 0
        public var duplicateCount = 0
        /// Records that terminals lost before anybody could read them; each lies within a gap that was told.
        public var lostCount = 0
        public var faultCount = 0
        public var restartCount = 0
        public var suspensionCount = 0
        public var heldCount = 0
        public var clockSetCount = 0
    }

    private let options: Options
    private let start: Instant
    private let end: Int64
    /// After that nothing goes wrong any more.
    private let quietFrom: Int64
    private var heap = EventHeap()
    private var devices: [SimulatedDevice] = []
    private var hostFaults: [HostFaultEvent] = []
    private var sites: [SiteQueue] = []
    private var time: Int64 = 0
    private var hostOffset: Int64 = 0
    private var isHostDown = false
    private var steppedAt: Int64 = .min
    private var report: Report
    private var numbers: [DeviceID: Int] = [:]

    private static let zones = [
        "Australia/Lord_Howe", "Asia/Kathmandu", "America/New_York", "Europe/London", "America/St_Johns",
        "Africa/Casablanca", "Asia/Ho_Chi_Minh", "Europe/Berlin",
    ].compactMap { DeviceTimeZone(identifier: $0) }
    private static let day: Int64 = 86_400_000
    private static let pageLimit = 64
    private static let siteCount = 10
    /// Half an hour before the end everything is polled once more.
    private static let lastPoll: Int32 = -2
    /// When nothing goes wrong any more, whatever hangs on the wall is accepted.
    private static let lastAcceptance: Int32 = -4

    private static let lost = DeviceFault(.connectionLost, "the link is gone")
    private static let refused = DeviceFault(.refused, "refused")
    private static let timedOut = DeviceFault(.timedOut, "no answer")
    private static let locked = DeviceFault(.unauthorised, "wrong key")
    private static let malformed = DeviceFault(.malformed, "the log cannot be read")

    public init(_ options: Options) {
        self.options = options
        report = Report(seed: options.seed)
        var random = SplitMix64(seed: options.seed)
        // Spring and autumn, so that the clocks change somewhere in every run.
        let starts = ["2026-03-10T00:00:00Z", "2026-10-02T00:00:00Z", "2027-03-01T00:00:00Z", "2026-10-20T00:00:00Z"]
        let first = starts.compactMap { Instant(rfc3339: $0) }.randomElement(using: &random)
        start =
            (first ?? Instant(secondsSince1970: 0)) + .milliseconds(Int64.random(in: 0..<86_400_000, using: &random))
        end = Int64(options.days) * Self.day
        quietFrom = end - 2 * Self.day
        sites = (0..<Self.siteCount).map { _ in SiteQueue(limit: 4) }
        for number in 0..<options.deviceCount { addDevice(Int32(number), &random) }
        hostFaults = FaultPlan.host(until: quietFrom, using: &random)
    }

    // MARK: The fleet

    private func addDevice(_ number: Int32, _ random: inout SplitMix64) {
        let zone = Self.zones[Int(number) % Self.zones.count]
        // A few run with all the product's timers; the others with longer ones, so that weeks of a fleet take a second.
        let isStandard = number < 2
        var plan = SupervisorMachine.Plan(schedule: schedule(number, isStandard), zone: zone)
        plan.isCapturing = !number.isMultiple(of: 7)
        if !isStandard {
            plan.timers.keepAliveIdle = .seconds(8 * 3_600)
            plan.timers.identityRefresh = .seconds(11 * 3_600)
            plan.timers.heldRetry = .seconds(3_600)
        }
        plan.timers.openTimeout = .seconds(30)
        let clock = ClockPlan(sync: [.never, .drift, .daily][Int(number / 8) % 3])
        let device = SimulatedDevice(
            number: number, zone: zone, site: Int(number) % Self.siteCount, plan: plan, clock: clock,
            isStandard: isStandard, hasClock: !number.isMultiple(of: 11), capacity: number % 97 == 13 ? 120 : 3_000,
            faults: FaultPlan.device(until: quietFrom, using: &random), seed: random.next(), now: start)
        devices.append(device)
        numbers[device.id] = Int(number)
    }

    private func schedule(_ number: Int32, _ isStandard: Bool) -> PollSchedule {
        let shift = PollSchedule.spread(DeviceID("device-\(number)") ?? devices[0].id, over: .seconds(60))
        let rhythms = ["0 */6 * * *", "30 2,14 * * *", "0 7 * * mon-fri", "15 1 * * *"]
        guard !isStandard, let cron = try? CronSchedule(rhythms[Int(number) % rhythms.count]) else {
            return PollSchedule(.every(.seconds(300)), shift: shift)
        }
        if number.isMultiple(of: 5) { return PollSchedule(.every(.seconds(8 * 3_600)), shift: shift) }
        if number % 5 == 1 {
            return PollSchedule(.every(.seconds(3 * 3_600)), between: DayWindow("06:00-20:00"), shift: shift)
        }
        return PollSchedule(.cron(cron), shift: shift)
    }

    // MARK: Running

    public func run() -> Report {
        for device in devices {
            planPunch(device)
            for (index, fault) in device.faults.enumerated() {
                heap.push(at: fault.begin, .fault, device: device.number, payload: Int32(index) * 2)
                if fault.end > fault.begin {
                    heap.push(at: fault.end, .fault, device: device.number, payload: Int32(index) * 2 + 1)
                }
                report.faultCount += 1
            }
        }
        for (index, fault) in hostFaults.enumerated() {
            heap.push(at: fault.begin, .host, device: -1, payload: Int32(index) * 2)
            heap.push(at: fault.end, .host, device: -1, payload: Int32(index) * 2 + 1)
        }
        heap.push(at: quietFrom, .host, device: -1, payload: Self.lastAcceptance)
        heap.push(at: end - 1_800_000, .host, device: -1, payload: Self.lastPoll)
        for device in devices { handle(.started, device) }
        while let entry = heap.pop(), entry.at <= end, report.violations.count < 5 {
            time = entry.at
            report.eventCount += 1
            if entry.device < 0 { host(entry.payload) } else { dispatch(entry, devices[Int(entry.device)]) }
        }
        finish()
        return report
    }

    private func dispatch(_ entry: EventHeap.Entry, _ device: SimulatedDevice) {
        switch entry.kind {
        case .wake:
            guard entry.token == device.wakeToken, !isHostDown, !device.isEnded else { return }
            device.wakeAt = nil
            handle(.timePassed, device)
        case .punch: punch(device)
        case .answer:
            guard entry.token == device.operationToken, !isHostDown else { return }
            answer(device)
        case .delivery:
            guard entry.token == device.session, !isHostDown else { return }
            deliver(Int(entry.payload), device)
        case .fault: fault(entry.payload, device)
        case .host: break
        }
    }

    private var truth: Instant { start + .milliseconds(time) }
    private var now: Instant { start + .milliseconds(time + hostOffset) }
    private var uptime: Duration { .milliseconds(time) }

    /// As the supervisor does it: the machine first, then what is known, then the actions, then the next deadline.
    private func handle(_ event: SupervisorEvent, _ device: SimulatedDevice) {
        let moment = SupervisorMoment(now: now, uptime: uptime, lastHeard: .milliseconds(device.heard))
        device.keeper.look(now: moment.now, uptime: moment.uptime)
        let actions = device.machine.handle(event, at: moment, using: &device.random)
        device.keeper.follow(device.machine, event, actions, now: moment.now)
        device.judge.observe(
            event, actions, at: time, heard: device.heard, now: moment.now,
            isClockSteady: time - 120_000 > steppedAt)
        if let complaint = device.judge.takeComplaint() { violate(complaint, device) }
        settle(device)
        if event == .pollFinished || isPollFailure(event) { leaveSite(device) }
        for action in actions { perform(action, device) }
        planWake(device)
    }

    private func isPollFailure(_ event: SupervisorEvent) -> Bool {
        if case .pollFailed = event { return true }
        return false
    }

    private func planWake(_ device: SimulatedDevice) {
        let moment = SupervisorMoment(now: now, uptime: uptime, lastHeard: .milliseconds(device.heard))
        let due = device.isStandard ? device.machine.deadline(at: moment) : device.machine.nextDue(at: moment)
        guard let due else { return }
        // Waits are drawn finer than the simulation's milliseconds: never too early.
        let whole = due.wholeMilliseconds
        let wanted = max(due > .milliseconds(whole) ? whole + 1 : whole, time)
        if let wakeAt = device.wakeAt, wakeAt <= wanted { return }
        guard wanted <= end else { return }
        device.wakeAt = wanted
        device.wakeToken += 1
        heap.push(at: wanted, .wake, device: device.number, token: device.wakeToken)
    }

    // MARK: What the host does

    private func perform(_ action: SupervisorAction, _ device: SimulatedDevice) {
        switch action {
        case .open:
            device.endSession()
            device.openCount += 1
            begin(.open, device, after: Int64.random(in: 30...400, using: &device.traffic))
        case .startCapture: device.capturesFrom = time + 20
        case .poll:
            if sites[device.site].enter(device.id) { beginPoll(device) } else { device.isWaitingForTurn = true }
        case .keepAlive: begin(.keepAlive, device, after: 30)
        case .refresh: begin(.refresh, device, after: 120)
        case .setClock: begin(.setClock, device, after: 80)
        case .close:
            device.endSession()
            leaveSite(device)
        case .logSuspended: report.suspensionCount += 1
        case .logAway, .logBack, .logBlocked, .logFaulted, .logPollFailed, .alert, .logResumed, .command: break
        }
    }

    private func begin(_ operation: SimulatedDevice.Operation, _ device: SimulatedDevice, after delay: Int64) {
        device.operation = operation
        device.operationBegan = time
        device.operationToken += 1
        heap.push(at: time + delay, .answer, device: device.number, token: device.operationToken)
    }

    private func leaveSite(_ device: SimulatedDevice) {
        for id in sites[device.site].leave(device.id) {
            guard let number = numbers[id] else { continue }
            let next = devices[number]
            guard next.isWaitingForTurn else { continue }
            next.isWaitingForTurn = false
            beginPoll(next)
        }
    }

    private func beginPoll(_ device: SimulatedDevice) {
        device.pollBegan = time
        device.pollSample = sample(device)
        device.keeper.pollBegan(device.pollSample, now: now, uptime: uptime)
        device.work = PollWork(
            device: device.id, zone: device.zone, window: .all, stored: device.journal.cursor, now: now)
        let wantsSetting = device.pollSample.map { device.keeper.clockRead($0) } ?? false
        settle(device)
        begin(.page, device, after: Int64.random(in: 40...1_500, using: &device.traffic))
        if wantsSetting { handle(.clockSettingWanted, device) }
    }

    private func sample(_ device: SimulatedDevice) -> ClockSample? {
        let terminal = device.terminals[device.current]
        guard terminal.hasClock else { return nil }
        guard !terminal.isClockBroken else { return ClockSample(.nothing("month 13"), now: now, uptime: uptime) }
        return ClockSample(.time(terminal.localTime(at: truth, in: device.zone)), now: now, uptime: uptime)
    }

    /// The device answers, or it is clear that it will not.
    private func answer(_ device: SimulatedDevice) {
        let operation = device.operation
        if device.link == .silent, isPatient(operation, device) { return }
        switch operation {
        case .none: break
        case .open: opened(device)
        case .page: page(device)
        case .keepAlive, .refresh, .setClock:
            device.operation = .none
            guard device.link != .silent else { return handle(.operationFailed(Self.timedOut), device) }
            if operation == .keepAlive { return handle(.operationFinished, device) }
            finishLook(operation, device)
        }
    }

    /// Nothing comes; the wait ends at its limit.
    private func isPatient(_ operation: SimulatedDevice.Operation, _ device: SimulatedDevice) -> Bool {
        let limit: Int64 =
            switch operation {
            case .open: device.plan.timers.openTimeout.wholeMilliseconds
            case .keepAlive: device.plan.timers.keepAliveTimeout.wholeMilliseconds
            case .none, .page, .refresh, .setClock: 20_000
            }
        let waited = time - device.operationBegan
        guard waited < limit else { return false }
        heap.push(
            at: device.operationBegan + limit, .answer, device: device.number, token: device.operationToken)
        return true
    }

    private func opened(_ device: SimulatedDevice) {
        device.operation = .none
        switch device.link {
        case .silent: handle(.openFailed(Self.timedOut), device)
        case .refusing: handle(.openFailed(Self.refused), device)
        case .locked: handle(.openFailed(Self.locked), device)
        case .up, .malformed:
            let serial = device.terminals[device.current].serial
            let isRight = device.keeper.identified(DeviceIdentity(serialNumber: serial), now: now)
            if !isRight { report.heldCount += 1 }
            settle(device)
            handle(isRight ? .opened : .anotherAnswers, device)
        }
    }

    private func finishLook(_ operation: SimulatedDevice.Operation, _ device: SimulatedDevice) {
        var wantsSetting = false
        if operation == .setClock {
            report.clockSetCount += 1
            device.terminals[device.current].clockOffset = hostOffset
            device.terminals[device.current].isClockBroken = false
            device.terminals[device.current].clockChangedAt = time
            device.keeper.clockSet(sample(device), newestPunch: nil)
        } else if let sample = sample(device) {
            wantsSetting = device.keeper.clockRead(sample)
        }
        settle(device)
        handle(.operationFinished, device)
        if wantsSetting { handle(.clockSettingWanted, device) }
    }

    private func page(_ device: SimulatedDevice) {
        guard device.link != .silent else { return failPoll(Self.timedOut, device) }
        guard device.link != .malformed else { return failPoll(Self.malformed, device) }
        guard var work = device.work else { return }
        let page = device.terminals[device.current].page(after: work.place, limit: Self.pageLimit)
        let known = work.doubt(page).map { device.journal.moments(in: $0) } ?? []
        let entry: JournalEntry
        do throws(DeviceFault) {
            entry = try work.take(page, known: known, now: now)
        } catch {
            return failPoll(error, device)
        }
        device.keeper.found(page.inventory, page.reset, now: now)
        work.committed(commit(entry, device))
        device.work = work
        guard work.isAtEnd else {
            return begin(.page, device, after: Int64.random(in: 20...300, using: &device.traffic))
        }
        device.operation = .none
        device.work = nil
        device.keeper.polled(work.summary, took: .milliseconds(time - device.pollBegan), now: now)
        settle(device)
        checkGap(work.summary, device)
        handle(.pollFinished, device)
    }

    private func failPoll(_ fault: DeviceFault, _ device: SimulatedDevice) {
        device.operation = .none
        device.work = nil
        device.keeper.pollFailed(fault, took: .zero)
        handle(.pollFailed(fault), device)
    }

    private func commit(_ entry: JournalEntry, _ device: SimulatedDevice) -> CommitReceipt {
        let (receipt, new) = device.journal.commit(entry)
        for number in new {
            let index = Int(number)
            device.truth[index].rows += 1
            if device.truth[index].rows > 1 {
                let punch = device.truth[index]
                violate(
                    "the punch of \(start + .milliseconds(punch.at)), recorded as \(punch.recorded), is in the journal twice",
                    device)
            }
            if let place = device.pending.lastIndex(of: number) {
                device.pending.remove(at: place)
            } else if device.truth[index].isLost {
                // It was on its way when its record was deleted.
                device.truth[index].isLost = false
                if let place = device.unreported.firstIndex(of: number) {
                    device.unreported.remove(at: place)
                    report.lostCount -= 1
                }
            }
        }
        return receipt
    }

    /// What the keeper has to say, as the supervisor passes it on.
    private func settle(_ device: SimulatedDevice) {
        for event in device.keeper.takeEvents() {
            if case .complete(let through) = event { checkWatermark(through, device) }
        }
        // A host that dies loses the last word at the most.
        device.saved = device.keeper.status
    }

    // MARK: What happens at the wall

    private func planPunch(_ device: SimulatedDevice) {
        // Ten a day on average, in bursts.
        let pause =
            Int.random(in: 0..<3, using: &device.traffic) == 0
            ? Int64.random(in: 1_000...20_000, using: &device.traffic)
            : Int64.random(in: 600_000...7 * 3_600_000, using: &device.traffic)
        if time + pause < end - 3_600_000 { heap.push(at: time + pause, .punch, device: device.number) }
    }

    private func punch(_ device: SimulatedDevice) {
        let number = Int32(device.truth.count)
        let local = device.terminals[device.current].localTime(at: truth, in: device.zone)
        let record = PunchRecord(
            code: String(number), localTime: local, direction: Direction(.in, raw: 0),
            verification: Verification(.card, raw: Int(number)))
        let recorded: Instant =
            switch device.zone.resolve(local) {
            case .unique(let instant), .gap(let instant), .overlap(let instant, _): instant
            }
        device.records.append(record)
        device.truth.append(
            SimulatedDevice.TruePunch(at: time, terminal: Int8(device.current), recorded: recorded))
        device.pending.append(number)
        device.terminals[device.current].log.append(.init(punch: number, record: record))
        if device.terminals[device.current].log.count > device.terminals[device.current].capacity {
            lose(device.terminals[device.current].log.removeFirst().punch, device)
        }
        if let from = device.capturesFrom, time >= from {
            heap.push(
                at: time + Int64.random(in: 5...300, using: &device.traffic), .delivery, device: device.number,
                token: device.session, payload: number)
        }
        planPunch(device)
    }

    private func deliver(_ index: Int, _ device: SimulatedDevice) {
        // On a link that stands still the network sends it again when the link works.
        guard device.link != .silent else {
            heap.push(
                at: device.silentUntil, .delivery, device: device.number, token: device.session,
                payload: Int32(index))
            return
        }
        device.heard = time
        var intake = Intake(device: device.id, zone: device.zone, source: .capture)
        let punch = intake.punch(device.records[index], receivedAt: now)
        _ = commit(JournalEntry(device: device.id, punches: [punch], receivedAt: now), device)
    }

    private func lose(_ number: Int32, _ device: SimulatedDevice) {
        guard let place = device.pending.firstIndex(of: number) else { return }
        device.pending.remove(at: place)
        device.truth[Int(number)].isLost = true
        // Of a device that is held nothing is promised.
        guard device.acceptedTerminal == device.truth[Int(number)].terminal else { return }
        device.unreported.append(number)
        report.lostCount += 1
    }

    private func fault(_ payload: Int32, _ device: SimulatedDevice) {
        let index = Int(payload / 2)
        let fault = device.faults[index]
        guard payload.isMultiple(of: 2) else { return endFault(fault, index, device) }
        switch fault.kind {
        case .drop: breakLink(device)
        case .refuse: setLink(.refusing, index, device, breaks: true)
        case .silent:
            setLink(.silent, index, device, breaks: false)
            device.silentUntil = fault.end
        case .locked: setLink(.locked, index, device, breaks: true)
        case .malformed: setLink(.malformed, index, device, breaks: false)
        case .clear:
            // A log that was empty when it was read last, and is cleared again, looks as it did: nobody can tell.
            guard device.acceptedTerminal == Int8(device.current), let place = device.journal.cursor?.cursor,
                ModelTerminal.recordCount(of: place) > 0
            else { return }
            for record in device.terminals[device.current].log { lose(record.punch, device) }
            device.terminals[device.current].log.removeAll()
        case .swap:
            device.current = 1 - device.current
            breakLink(device)
        case .clockOff:
            device.terminals[device.current].clockOffset = fault.amount
            device.terminals[device.current].clockChangedAt = time
        case .clockBroken:
            device.terminals[device.current].isClockBroken = true
            device.terminals[device.current].clockChangedAt = time
        case .sync: if !isHostDown { handle(.pollRequested, device) }
        case .resume: if !isHostDown { handle(.resumeRequested, device) }
        case .reload: if !isHostDown { reload(device) }
        }
    }

    private func endFault(_ fault: DeviceFaultEvent, _ index: Int, _ device: SimulatedDevice) {
        switch fault.kind {
        case .refuse, .silent, .locked, .malformed:
            if device.linkFault == Int32(index) { (device.link, device.linkFault) = (.up, -1) }
        case .swap:
            if fault.isAccepted, !isHostDown {
                accept(device)
            } else {
                device.current = 1 - device.current
                breakLink(device)
            }
        case .clockOff, .clockBroken:
            for place in device.terminals.indices {
                device.terminals[place].clockOffset = 0
                device.terminals[place].isClockBroken = false
                device.terminals[place].clockChangedAt = time
            }
        case .drop, .clear, .sync, .resume, .reload: break
        }
    }

    private func setLink(_ link: SimulatedDevice.LinkState, _ fault: Int, _ device: SimulatedDevice, breaks: Bool) {
        (device.link, device.linkFault) = (link, Int32(fault))
        if breaks { breakLink(device) }
    }

    /// Whatever was under way ends.
    private func breakLink(_ device: SimulatedDevice) {
        guard !isHostDown, device.machine.state.session != nil else { return }
        let isPolling = device.operation == .page
        device.operation = .none
        device.operationToken += 1
        device.work = nil
        device.capturesFrom = nil
        if isPolling {
            device.keeper.pollFailed(Self.lost, took: .zero)
            handle(.pollFailed(Self.lost), device)
        } else {
            handle(.captureEnded(Self.lost), device)
        }
    }

    private func accept(_ device: SimulatedDevice) {
        guard !isHostDown else { return }
        _ = device.keeper.accept()
        settle(device)
        handle(.accepted, device)
    }

    // MARK: What happens to the host

    /// Other devices keep their sessions.
    private func reload(_ device: SimulatedDevice) {
        let neighbours = devices[max(0, Int(device.number) - 1)]
        let count = neighbours.openCount
        handle(.stopRequested, device)
        device.plan.timers.alertAfter = device.plan.timers.alertAfter == 5 ? 3 : 5
        device.begin(now: now, at: time, stored: device.saved, watch: device.keeper.watch)
        handle(.started, device)
        if neighbours !== device, neighbours.openCount != count { violate("a reload touched a neighbour", neighbours) }
    }

    private func host(_ payload: Int32) {
        guard payload != Self.lastPoll else {
            for device in devices { handle(.pollRequested, device) }
            return
        }
        guard payload != Self.lastAcceptance else {
            for device in devices where device.keeper.status.heldSerial != nil { accept(device) }
            return
        }
        let fault = hostFaults[Int(payload / 2)]
        let isBeginning = payload.isMultiple(of: 2)
        switch fault.kind {
        case .clockStep:
            hostOffset = isBeginning ? fault.amount : 0
            steppedAt = time
            for device in devices {
                device.judge.hostClockStepped()
                guard !isHostDown, !device.isStandard else { continue }
                // The host looks at the wall clock at least once a minute.
                let look = time + Int64.random(in: 0...60_000, using: &device.traffic)
                heap.push(at: look, .wake, device: device.number, token: device.wakeToken)
            }
        case .restart:
            guard isBeginning != isHostDown else { return }
            isHostDown = isBeginning
            if isBeginning {
                report.restartCount += 1
                for device in devices { device.endSession() }
                sites = sites.map { SiteQueue(limit: $0.limit) }
            } else {
                for device in devices {
                    device.wakeAt = nil
                    device.wakeToken += 1
                    device.heard = time
                    device.begin(now: now, at: time, stored: device.saved)
                    handle(.started, device)
                }
            }
        }
    }

    // MARK: Judging

    /// Nothing that was made before the instant may be missing.
    private func checkWatermark(_ through: Instant, _ device: SimulatedDevice) {
        if through > truth { violate("\(through) is claimed at \(truth)", device) }
        guard let terminal = device.acceptedTerminal else { return }
        let isClockUntouched = device.terminals[device.current].clockChangedAt < device.pollBegan
        for number in device.pending {
            let punch = device.truth[Int(number)]
            guard punch.terminal == terminal else { continue }
            let made = start + .milliseconds(punch.at)
            if made < through || (isClockUntouched && punch.recorded < through && punch.at < device.pollBegan) {
                violate(
                    "complete through \(through), and the punch of \(made), recorded as \(punch.recorded), is missing",
                    device)
            }
        }
    }

    /// Records that were deleted unread lie within the gap that is told.
    private func checkGap(_ summary: PollSummary, _ device: SimulatedDevice) {
        guard !device.unreported.isEmpty else { return }
        // Of this device or of the one before it: the first poll of another one has to tell of a gap in any case.
        device.unreported.removeAll { number in
            let punch = device.truth[Int(number)]
            guard punch.at < device.pollBegan else { return false }
            let made = start + .milliseconds(punch.at)
            if let gap = device.keeper.status.gap, gap.from <= made, made <= gap.until { return true }
            violate(
                "the punch of \(made) was lost, and no gap tells of it: gap \(String(describing: device.keeper.status.gap)), "
                    + "complete through \(String(describing: device.keeper.status.completeThrough)), \(summary)", device
            )
            return true
        }
    }

    private func finish() {
        if report.violations.isEmpty { checkEnd() }
        for device in devices {
            report.punchCount += device.truth.count
            report.journaledCount += device.journal.journaled
            report.duplicateCount += device.journal.duplicates
        }
    }

    /// All is well again: everything that a terminal had kept is in the journal, once, and the numbers add up.
    private func checkEnd() {
        time = end
        for device in devices {
            let journal = device.journal
            if journal.received != journal.journaled + journal.duplicates + journal.rejected {
                violate("received \(journal.received) is not the sum of its parts", device)
            }
            if journal.rowCount != journal.journaled || journal.journaled != device.truth.count(where: { $0.rows == 1 })
            {
                violate("\(journal.rowCount) rows, \(journal.journaled) journaled", device)
            }
            let accepted = device.acceptedTerminal
            let isThere = accepted.map { Int($0) == device.current } ?? true
            let missing = device.pending.filter { isThere && device.truth[Int($0)].terminal == accepted }
            if !missing.isEmpty {
                violate("\(missing.count) punches are missing, \(device.machine.state.name)", device)
            }
        }
    }

    private func violate(_ what: String, _ device: SimulatedDevice) {
        guard report.violations.count < 5 else { return }
        report.violations.append("seed \(options.seed), \(device.id) in \(device.zone), at \(truth): \(what)")
    }
}
