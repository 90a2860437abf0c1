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
    private var keeper: StatusKeeper
    private var savedStatus: DeviceStatus?

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
        /// The device's turn at its site, for the poll of this session.
        case turn(session: Int)
        case accept(CheckedContinuation<Bool, Never>)
        case sync(CheckedContinuation<Result<PollSummary, DeviceFault>, Never>)
        case command(PendingCommand)
        /// Somebody asks whether messages are still taken.
        case ping(CheckedContinuation<Void, Never>)
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
        keeper = StatusKeeper(
            device.id, StatusKeeper.Plan(zone: device.zone, clock: device.clock), now: services.time.now(),
            watch: services.clockWatch.current)
        driver = try? device.driver.make(device.settings, context: services.drivers.context(for: device))
        machine = SupervisorMachine(SupervisorMachine.Plan(device, suspendedSince: nil))
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
            case .accept(let continuation): continuation.resume(returning: false)
            case .ping(let continuation): continuation.resume()
            case .event, .report, .timer, .turn: break
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
        services.board.update(DeviceReport(device, keeper.status))
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

    /// An operator accepts what is there now: another device at the address, a gap, what is shown for their notice.
    /// - Returns: whether there was anything to accept.
    public func accept() async -> Bool {
        await withCheckedContinuation { continuation in
            if case .terminated = post.yield(.accept(continuation)) { continuation.resume(returning: false) }
        }
    }

    /// An operator wants the device tried now, whatever it waits for, and capture taken up again.
    public nonisolated func resume() { post.yield(.event(.resumeRequested)) }

    /// Returns once the supervisor has taken every message that came before, or has ended.
    public func ping() async {
        await withCheckedContinuation { continuation in
            if case .terminated = post.yield(.ping(continuation)) { continuation.resume() }
        }
    }

    /// What is known of the device at this moment.
    public var currentStatus: DeviceStatus { keeper.status }

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
        case .turn(let session):
            if session == sessionNumber { commands?.yield(.poll) }
        case .sync(let continuation): await begin(continuation, &group)
        case .command(let pending): await begin(pending, &group)
        case .accept(let continuation):
            continuation.resume(returning: keeper.accept())
            await handle(.accepted, &group)
        case .ping(let continuation): continuation.resume()
        }
    }

    private func receive(_ report: SessionRunner.Report, _ group: inout DiscardingTaskGroup) async {
        switch report {
        case .event(let event): await handle(event, &group)
        case .identified(let identity): await identified(identity, &group)
        case .found(let inventory, let reset): found(inventory, reset)
        case .pollBegan(let reading, let now, let uptime):
            keeper.pollBegan(reading, now: now, uptime: uptime)
            if let reading { await clockRead(reading, &group) }
        case .clock(let reading): await clockRead(reading, &group)
        case .clockSet(let reading, let newestPunch): clockSet(reading, newestPunch)
        case .clockSettingFailed(let fault):
            keeper.clockSettingFailed(uptime: services.time.uptime())
            log.warning("the device's clock cannot be set", metadata: ["error": "\(fault)"])
        case .polled(let outcome, let took): await polled(outcome, took)
        }
    }

    private func handle(_ event: SupervisorEvent, _ group: inout DiscardingTaskGroup) async {
        let moment = moment
        var random = RandomGenerator(services.random)
        keeper.look(now: moment.now, uptime: moment.uptime)
        services.clockWatch.look(now: moment.now, uptime: moment.uptime)
        let actions = machine.handle(event, at: moment, using: &random)
        keeper.follow(machine, event, actions, now: moment.now)
        endTurn(event)
        for action in actions { perform(action) }
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
            beginPoll()
        case .keepAlive: commands?.yield(.keepAlive)
        case .refresh: commands?.yield(.refresh)
        case .setClock: commands?.yield(.setClock)
        case .command: startCommand()
        case .close: abandonSession()
        default: SupervisorLog.write(action, to: log)
        }
    }

    /// The poll begins when it is the device's turn at its site.
    private func beginPoll() {
        let (number, post) = (sessionNumber, post)
        let isFree = services.gate.enter(device.id, site: device.site) { post.yield(.turn(session: number)) }
        if isFree { commands?.yield(.poll) }
    }

    private func endTurn(_ event: SupervisorEvent) {
        switch event {
        case .pollFinished, .pollFailed: services.gate.leave(device.id)
        default: break
        }
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
        services.gate.leave(device.id)
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
        keeper.restore(stored)
        machine = SupervisorMachine(
            SupervisorMachine.Plan(
                device, suspendedSince: stored.isRealtimeEnabled ? nil : stored.realtimeDisabledAt))
    }

    private func identified(_ identity: DeviceIdentity, _ group: inout DiscardingTaskGroup) async {
        let expected = keeper.status.acceptedSerial
        let wasHeld = keeper.status.heldSerial
        // What is trusted is durable before anything is taken from it.
        guard !keeper.identified(identity, now: services.time.now()) else { return await publish() }
        if wasHeld != keeper.status.heldSerial {
            log.error(
                "ADMIN ALERT another device answers at this address: nothing is taken from it until it is accepted",
                metadata: ["serial": "\(identity.serialNumber ?? "")", "expected": "\(expected ?? "")"])
        }
        failSyncs(keeper.heldFault)
        failCommands(keeper.heldFault)
        await handle(.anotherAnswers, &group)
    }

    private func found(_ inventory: LogInventory?, _ reset: SourceReset?) {
        keeper.found(inventory, reset, now: services.time.now())
        guard let reset else { return }
        if reset.reason == .logCleared {
            log.notice("the device's log was cleared, as it was asked for")
            return
        }
        log.warning("the device's log begins anew: reading all of it", metadata: ["reason": "\(reset.message)"])
    }

    private func clockRead(_ reading: ClockSample, _ group: inout DiscardingTaskGroup) async {
        let before = keeper.status.conditions
        let wantsSetting = keeper.clockRead(reading)
        for code in [DeviceCondition.Code.clockOff, .clockUnreadable] where before[code] == nil {
            guard let condition = keeper.status.conditions[code] else { continue }
            log.warning("the device's clock is off", metadata: ["reason": "\(condition.message)"])
        }
        if wantsSetting { await handle(.clockSettingWanted, &group) }
    }

    private func clockSet(_ reading: ClockSample, _ newestPunch: Instant?) {
        let before = keeper.status.clockDrift
        keeper.clockSet(reading, newestPunch: newestPunch)
        log.notice(
            "the device's clock was set",
            metadata: ["was ahead by": "\(before.map { "\($0.components.seconds) s" } ?? "unknown")"])
        guard let condition = keeper.status.conditions[.clockSetBack] else { return }
        log.warning("the clock went back past punches", metadata: ["reason": "\(condition.message)"])
    }

    private func polled(_ outcome: Result<PollSummary, DeviceFault>, _ took: Duration) async {
        switch outcome {
        case .success(let summary):
            keeper.polled(summary, took: took, now: services.time.now())
            log.debug(
                "poll finished",
                metadata: [
                    "read": "\(summary.read)", "new": "\(summary.journaled)", "duplicates": "\(summary.duplicates)",
                ])
        case .failure(let fault): keeper.pollFailed(fault, took: took)
        }
        // Who asked finds in the journal what the poll has changed.
        await publish()
        let number = pollsBegun
        let due = syncs.filter { $0.pollNumber <= number }
        syncs.removeAll { $0.pollNumber <= number }
        for sync in due { sync.resume.resume(returning: outcome) }
    }

    private func publish() async {
        for event in keeper.takeEvents() { services.events.send(.device(device.id, event)) }
        keeper.stamp(savedStatus?.updatedAt ?? keeper.status.updatedAt)
        guard keeper.status != savedStatus else { return }
        keeper.stamp(services.time.now())
        let status = keeper.status
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
        case .held: return continuation.resume(returning: .failure(keeper.heldFault))
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
        case .held: return pending.finish(.failure(keeper.heldFault))
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

extension SupervisorMachine.Plan {
    /// - Parameter suspendedSince: capture was given up in an earlier life of the host.
    init(_ device: HostConfiguration.Device, suspendedSince: Instant?) {
        self.init(schedule: device.schedule.poll, zone: device.schedule.zone ?? device.zone)
        let manifest = device.driver.manifest
        isEnabled = device.isEnabled
        isCapturing = device.schedule.isCapturing && manifest.intakes.contains(.capturing)
        canPoll = manifest.intakes.contains(.polling)
        timers = device.lifecycle
        self.suspendedSince = suspendedSince
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
