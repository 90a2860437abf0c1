public import DeviceKit
public import Journal
internal import Logging
internal import Synchronization

/// Looks after one device for as long as the host runs: drives ``SupervisorMachine``.
///
/// It awaits events, hands them to the machine and performs the actions. One session at a time: a new one is opened only
/// after the old one has been closed, or given up because its driver does not return.
public actor Supervisor {
    /// As the configuration has it now; what a session depends on never changes.
    public nonisolated var device: HostConfiguration.Device { described.withLock { $0 } }

    private nonisolated let described: Mutex<HostConfiguration.Device>
    private nonisolated let isStopRequested = Mutex(false)
    private let services: HostServices
    private let log: Logger
    private let driver: (any DeviceDriver)?
    private var machine: SupervisorMachine
    private var status: DeviceStatus
    private var savedStatus: DeviceStatus?
    /// How long the device was away, until its log has been read again.
    private var absence: Duration?

    private nonisolated let inbox: AsyncStream<Message>
    private nonisolated let post: AsyncStream<Message>.Continuation
    /// The uptime at which the device last sent something by itself.
    private nonisolated let lastHeard = Mutex(Duration.zero)

    private var sessionNumber = 0
    private var sessionTask: Task<Void, Never>?
    private var commands: AsyncStream<SessionRunner.Command>.Continuation?
    /// The earliest uptime for which a timer runs.
    private var timer: Duration?
    private var syncs: [Sync] = []
    private var pollsBegun = 0
    /// Commands that wait for a session, and the one that is under way.
    private var waitingCommands: [PendingCommand] = []
    private var runningCommand: PendingCommand?

    private enum Message: Sendable {
        case event(SupervisorEvent)
        /// From a session; those of one that was given up are ignored.
        case report(session: Int, SessionRunner.Report)
        case timer(Duration)
        case sync(CheckedContinuation<Result<PollSummary, DeviceFault>, Never>)
        case command(PendingCommand)
    }

    /// Somebody waits for a poll that begins after they asked.
    private struct Sync {
        let pollNumber: Int
        let resume: CheckedContinuation<Result<PollSummary, DeviceFault>, Never>
    }

    /// What closing a session may take before its driver is given up.
    static let closeTimeout = Duration.seconds(5)
    /// More commands at a time are refused.
    static let maximumWaitingCommands = 16
    /// How long a command may wait for its turn, besides what it may take itself.
    static let commandPatience = Duration.seconds(180)

    public init(_ device: HostConfiguration.Device, services: HostServices) {
        described = Mutex(device)
        self.services = services
        var log = services.log
        log[metadataKey: "device"] = "\(device.id)"
        self.log = log
        (inbox, post) = AsyncStream.makeStream(of: Message.self)
        status = DeviceStatus(device: device.id, state: "connecting", updatedAt: services.time.now())
        driver = try? device.driver.make(device.settings, context: services.context(for: device))
        let manifest = device.driver.manifest
        machine = SupervisorMachine(
            SupervisorMachine.Plan(
                isEnabled: device.isEnabled,
                isCapturing: device.schedule.isCapturing && manifest.intakes.contains(.capturing),
                canPoll: manifest.intakes.contains(.polling), schedule: device.schedule.poll, zone: device.zone,
                timers: device.lifecycle))
    }

    // MARK: From outside

    /// Runs until ``requestStop()``, and leaves the session closed.
    public func run() async {
        await restoreStatus()
        await withDiscardingTaskGroup { group in
            // Stopped before it began, it opens nothing.
            if !isStopRequested.withLock({ $0 }) { await handle(.started, &group) }
            for await message in inbox {
                await receive(message, &group)
                if machine.state == .stopping { break }
            }
            group.cancelAll()
        }
        await endSession()
        post.finish()
        for await message in inbox {
            switch message {
            case .sync(let continuation): continuation.resume(returning: .failure(.cancelled))
            case .command(let pending): pending.finish(.failure(.cancelled))
            default: break
            }
        }
        failSyncs(.cancelled)
        failCommands(.cancelled)
        await publish()
    }

    /// Nothing new is begun; what is being made durable is finished.
    public nonisolated func requestStop() {
        isStopRequested.withLock { $0 = true }
        post.yield(.event(.stopRequested))
    }

    /// The configuration calls the device differently, or delivers its punches elsewhere. The session goes on.
    /// - Parameter device: with the same driver, settings, zone, schedule and lifecycle.
    public func describe(as device: HostConfiguration.Device) {
        described.withLock { $0 = device }
        services.board.update(DeviceReport(device, status))
    }

    /// Polls the device now, connecting if needed.
    public func sync() async -> Result<PollSummary, DeviceFault> {
        await withCheckedContinuation { continuation in
            // After the end of `run` nobody reads what is posted.
            if case .terminated = post.yield(.sync(continuation)) {
                continuation.resume(returning: .failure(.cancelled))
            }
        }
    }

    /// Performs a command on the device's session, connecting if needed, after whatever the session does now.
    /// Cancelling the task cancels the command, at the device as well where it can.
    public nonisolated func perform(
        _ command: DeviceCommand, progress: @escaping @Sendable (EnrolmentEvent) async -> Void = { _ in }
    ) async -> Result<DeviceAnswer, DeviceFault> {
        let pending = PendingCommand(command, progress: progress)
        if case .terminated = post.yield(.command(pending)) { return .failure(.cancelled) }
        return await pending.outcome(within: command.limit + Self.commandPatience, time: services.time)
    }

    /// What is known of the device at this moment.
    public var currentStatus: DeviceStatus { status }

    // MARK: Events

    private func receive(_ message: Message, _ group: inout DiscardingTaskGroup) async {
        switch message {
        case .event(let event): await handle(event, &group)
        case .report(let session, let report):
            guard session == sessionNumber else { return }
            await receive(report, &group)
        case .timer(let deadline):
            if timer == deadline { timer = nil }
            await handle(.timePassed, &group)
        case .sync(let continuation): await begin(continuation, &group)
        case .command(let pending): await begin(pending, &group)
        }
    }

    private func receive(_ report: SessionRunner.Report, _ group: inout DiscardingTaskGroup) async {
        switch report {
        case .event(let event): await handle(event, &group)
        case .identified(let identity): identified(identity)
        case .found(let inventory, let reset): found(inventory, reset)
        case .polled(let outcome, let took): polled(outcome, took)
        }
    }

    private func handle(_ event: SupervisorEvent, _ group: inout DiscardingTaskGroup) async {
        let moment = moment
        var random = RandomGenerator(services.random)
        let before = machine.state.name
        for action in machine.handle(event, at: moment, using: &random) { perform(action) }
        if event == .opened, machine.state.session != nil { connected() }
        if machine.state.name != before { tell(.entered(state: machine.state.name)) }
        failSyncsIfAway(event)
        await publish()
        setTimer(&group)
    }

    private var moment: SupervisorMoment {
        SupervisorMoment(
            now: services.time.now(), uptime: services.time.uptime(), lastHeard: lastHeard.withLock { $0 })
    }

    /// A timer for a later deadline than one that runs is not needed: the earlier one sets the next.
    private func setTimer(_ group: inout DiscardingTaskGroup) {
        let moment = moment
        guard let deadline = machine.deadline(at: moment), timer.map({ deadline < $0 }) ?? true else { return }
        timer = deadline
        let (time, post) = (services.time, post)
        group.addTask {
            guard (try? await time.sleep(for: deadline - moment.uptime)) != nil else { return }
            post.yield(.timer(deadline))
        }
    }

    // MARK: Actions

    private func perform(_ action: SupervisorAction) {
        switch action {
        case .open: open()
        case .startCapture: commands?.yield(.capture)
        case .poll:
            pollsBegun += 1
            commands?.yield(.poll)
        case .keepAlive: commands?.yield(.keepAlive)
        case .refresh: commands?.yield(.refresh)
        case .command: startCommand()
        case .close: abandonSession()
        default:
            SupervisorLog.write(action, to: log)
            noteChange(action)
        }
    }

    /// Conditions and events that follow from a change in the device's life.
    private func noteChange(_ action: SupervisorAction) {
        switch action {
        case .logAway(let fault): tell(.wentAway(fault))
        case .logBack(let away):
            absence = away
            tell(.cameBack(after: away))
        case .logBlocked(let fault):
            tell(.blocked(fault))
            raise(.unauthorised, fault.message)
        case .logFaulted(let fault):
            tell(.faulted(fault))
            raise(.faulted, fault.message)
        case .alert(let failures, let fault): tell(.failing(failures: failures, fault))
        case .logSuspended:
            tell(.suspended)
            raise(.captureSuspended, "no connection for a long time: punches are only polled")
        case .logResumed: tell(.resumed)
        case .open, .startCapture, .poll, .keepAlive, .refresh, .command, .close, .logPollFailed: break
        }
    }

    private func connected() {
        tell(.connected)
        for code in [DeviceCondition.Code.unauthorised, .faulted, .captureSuspended] { clear(code) }
    }

    private func tell(_ event: DeviceEvent) { services.events.send(.device(device.id, event)) }

    private func raise(
        _ code: DeviceCondition.Code, _ message: String, severity: DeviceCondition.Severity? = nil
    ) {
        let before = status.conditions[code]
        let condition = DeviceCondition(code, message, severity: severity, since: services.time.now())
        let change = status.conditions.raise(condition)
        guard let now = status.conditions[code] else { return }
        if change == .began || before.map({ $0.severity < now.severity }) == true { tell(.raised(now)) }
    }

    private func clear(_ code: DeviceCondition.Code) {
        if let condition = status.conditions.clear(code) { tell(.cleared(condition)) }
    }

    private func open() {
        guard let driver else {
            post.yield(.event(.openFailed(DeviceFault(.badSettings, "the driver refuses its settings"))))
            return
        }
        let previous = sessionTask
        let (stream, continuation) = AsyncStream.makeStream(of: SessionRunner.Command.self)
        commands = continuation
        sessionNumber += 1
        let (number, post, time, log) = (sessionNumber, post, services.time, log)
        let lastHeard = { @Sendable [weak self] in self?.noteHeard() ?? () }
        let runner = SessionRunner(
            driver: driver, device: device, services: services, commands: stream, heard: lastHeard,
            report: { post.yield(.report(session: number, $0)) })
        // Owned by the supervisor: cancelled by `abandonSession`, awaited by the next session and by the end of `run`.
        sessionTask = Task {
            if let previous, !(await previous.ended(within: Self.closeTimeout, time: time)) {
                log.error("the driver does not return from its last session: it is given up")
            }
            await runner.run()
        }
    }

    private nonisolated func noteHeard() {
        let now = services.time.uptime()
        lastHeard.withLock { $0 = now }
    }

    private func abandonSession() {
        commands?.finish()
        commands = nil
        sessionTask?.cancel()
        endRunningCommand()
        // What the old session still has to say no longer matters.
        sessionNumber += 1
    }

    private func endSession() async {
        abandonSession()
        guard let sessionTask else { return }
        if !(await sessionTask.ended(within: Self.closeTimeout, time: services.time)) {
            log.error("the driver does not return from its session: it is given up")
        }
    }

    // MARK: What is known

    private func restoreStatus() async {
        // A status that cannot be read is made anew.
        guard let stored = try? await services.journal.reader.status(for: device.id) else { return }
        status.identity = stored.identity
        status.inventory = stored.inventory
        status.lastPollAt = stored.lastPollAt
        status.lastError = stored.lastError
        status.lastErrorAt = stored.lastErrorAt
        status.conditions = stored.conditions
    }

    private func identified(_ identity: DeviceIdentity) {
        if let old = status.identity.serialNumber, let new = identity.serialNumber, old != new {
            raise(.deviceReplaced, "the device has the serial number \(new), before it was \(old)")
            log.warning("another device answers at this address", metadata: ["serial": "\(new)", "before": "\(old)"])
        }
        status.identity = identity
    }

    private func found(_ inventory: LogInventory?, _ reset: SourceReset?) {
        if let inventory {
            status.inventory = inventory
            noteFill(inventory)
        }
        guard let reset else { return }
        if reset.reason == .logCleared {
            log.notice("the device's log was cleared, as it was asked for")
            return
        }
        if reset.reason == .logRewritten { raise(.logCleared, reset.message) }
        log.warning("the device's log begins anew: reading all of it", metadata: ["reason": "\(reset.message)"])
    }

    /// The log's fill at which an operator is told, and the one below which it is well again.
    private static let nearlyFull = (warning: 0.9, critical: 0.98, well: 0.85)
    /// How long an operator is shown that a log was read anew.
    private static let clearedShown = Duration.seconds(86_400)

    private func noteFill(_ inventory: LogInventory) {
        guard let count = inventory.recordCount, let capacity = inventory.recordCapacity, capacity > 0 else { return }
        let share = Double(count) / Double(capacity)
        if share >= Self.nearlyFull.warning {
            raise(
                .logNearlyFull, "the device's log holds \(count) of \(capacity) records",
                severity: share >= Self.nearlyFull.critical ? .critical : .warning)
        } else if share < Self.nearlyFull.well {
            clear(.logNearlyFull)
        }
    }

    private func polled(_ outcome: Result<PollSummary, DeviceFault>, _ took: Duration) {
        switch outcome {
        case .success(let summary):
            let now = services.time.now()
            status.lastPollAt = now
            if summary.reset == nil {
                clear(.deviceReplaced)
                if let shown = status.conditions[.logCleared], now - shown.since >= Self.clearedShown {
                    clear(.logCleared)
                }
            }
            tell(.polled(summary, took: took))
            if let away = absence { tell(.recovered(after: away, punches: summary.journaled)) }
            absence = nil
            log.debug(
                "poll finished",
                metadata: [
                    "read": "\(summary.read)", "new": "\(summary.journaled)", "duplicates": "\(summary.duplicates)",
                ])
        case .failure(let fault): tell(.pollFailed(fault, took: took))
        }
        let number = pollsBegun
        let due = syncs.filter { $0.pollNumber <= number }
        syncs.removeAll { $0.pollNumber <= number }
        for sync in due { sync.resume.resume(returning: outcome) }
    }

    private func publish() async {
        status.state = machine.state.name
        status.isConnected = machine.state.session != nil
        status.failuresInARow = machine.failuresInARow
        status.isRealtimeEnabled = machine.isRealtimeEnabled
        status.realtimeDisabledAt = machine.realtimeDisabledAt
        if let fault = machine.lastFault, status.lastError != fault.message {
            status.lastError = fault.message
            status.lastErrorAt = services.time.now()
        }
        status.updatedAt = savedStatus?.updatedAt ?? status.updatedAt
        guard status != savedStatus else { return }
        status.updatedAt = services.time.now()
        savedStatus = status
        services.board.update(DeviceReport(device, status))
        await services.writer.saveStatus(status)
    }

    // MARK: Polls on request

    private func begin(
        _ continuation: CheckedContinuation<Result<PollSummary, DeviceFault>, Never>,
        _ group: inout DiscardingTaskGroup
    ) async {
        switch machine.state {
        case .disabled:
            return continuation.resume(returning: .failure(DeviceFault(.badSettings, "the device is disabled")))
        case .faulted(let fault): return continuation.resume(returning: .failure(fault))
        default: break
        }
        // In a session that is being opened the first poll is still to come; the one that runs began too early.
        syncs.append(Sync(pollNumber: pollsBegun + 1, resume: continuation))
        await handle(.pollRequested, &group)
    }

    private func failSyncsIfAway(_ event: SupervisorEvent) {
        switch event {
        case .openFailed(let fault), .captureEnded(let fault), .operationFailed(let fault):
            failSyncs(fault)
            failCommands(fault)
        default: break
        }
    }

    // MARK: Commands

    private func begin(_ pending: PendingCommand, _ group: inout DiscardingTaskGroup) async {
        switch machine.state {
        case .disabled: return pending.finish(.failure(DeviceFault(.badSettings, "the device is disabled")))
        case .faulted(let fault): return pending.finish(.failure(fault))
        default: break
        }
        waitingCommands.removeAll { $0.isFinished }
        guard waitingCommands.count < Self.maximumWaitingCommands else {
            return pending.finish(
                .failure(DeviceFault(.busy, "\(waitingCommands.count) commands wait for the device already")))
        }
        waitingCommands.append(pending)
        await handle(.commandRequested, &group)
    }

    /// Hands the first command that somebody still waits for to the session.
    private func startCommand() {
        waitingCommands.removeAll { $0.isFinished }
        guard !waitingCommands.isEmpty, let commands else {
            post.yield(.report(session: sessionNumber, .event(.operationFinished)))
            return
        }
        let pending = waitingCommands.removeFirst()
        runningCommand = pending
        commands.yield(.command(pending))
        if !waitingCommands.isEmpty { post.yield(.event(.commandRequested)) }
    }

    /// The session is gone, and with it whatever was under way. A restart that the device has begun is one.
    private func endRunningCommand() {
        guard let pending = runningCommand else { return }
        runningCommand = nil
        let fault = DeviceFault(.connectionLost, "the session with the device ended before it answered")
        pending.finish(pending.command.endsSession ? .success(.done(nil)) : .failure(fault))
    }

    private func failCommands(_ fault: DeviceFault) {
        let waiting = waitingCommands
        waitingCommands = []
        for pending in waiting { pending.finish(.failure(fault)) }
    }

    private func failSyncs(_ fault: DeviceFault) {
        let waiting = syncs
        syncs = []
        for sync in waiting { sync.resume.resume(returning: .failure(fault)) }
    }
}

extension Task where Success == Void, Failure == Never {
    /// Whether the task ends within `limit`. The task itself is not touched.
    func ended(within limit: Duration, time: any TimeSource) async -> Bool {
        let (stream, answer) = AsyncStream.makeStream(of: Bool.self)
        // Ends with the task that it watches.
        Task<Void, Never> {
            await value
            answer.yield(true)
        }
        let timer = Task<Void, Never> {
            if (try? await time.sleep(for: limit)) != nil { answer.yield(false) }
        }
        defer { timer.cancel() }
        var answers = stream.makeAsyncIterator()
        return await answers.next() ?? false
    }
}
