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
    let services: HostServices
    let log: Logger
    private let driver: (any DeviceDriver)?
    private var machine: SupervisorMachine
    var keeper: StatusKeeper
    private var savedStatus: DeviceStatus?

    private nonisolated let inbox: AsyncStream<Message>
    private nonisolated let post: AsyncStream<Message>.Continuation
    /// The uptime at which the device last sent something by itself.
    private nonisolated let lastHeard = Mutex(Duration.zero)

    private var session = SessionSlot()
    var requests = SupervisorRequests()
    /// The earliest uptime for which a timer runs.
    private var timer: Duration?

    private enum Message: Sendable {
        case event(SupervisorEvent)
        /// From a session; those of one that was given up are ignored.
        case report(session: Int, SessionRunner.Report)
        case timer(Duration)
        /// The device's turn at its site, for the poll of this session.
        case turn(session: Int)
        case accept(CheckedContinuation<Bool, Never>)
        case sync(CheckedContinuation<SupervisorRequests.PollOutcome, Never>)
        case command(PendingCommand)
        /// Somebody asks whether messages are still taken.
        case ping(CheckedContinuation<Void, Never>)
    }

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
        requests.fail(.cancelled)
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
        case .report(let number, let report):
            guard number == session.number else { return }
            await receive(report, &group)
        case .timer(let deadline):
            if timer == deadline { timer = nil }
            await handle(.timePassed, &group)
        case .turn(let number):
            if number == session.number { session.order(.poll) }
        case .sync(let continuation): await begin(continuation, &group)
        case .command(let pending): await begin(pending, &group)
        case .accept(let continuation):
            continuation.resume(returning: keeper.accept())
            await handle(.accepted, &group)
        case .ping(let continuation): continuation.resume()
        }
    }

    func handle(_ event: SupervisorEvent, _ group: inout DiscardingTaskGroup) async {
        let moment = moment
        var random = RandomGenerator(services.random)
        keeper.look(now: moment.now, uptime: moment.uptime)
        services.clockWatch.look(now: moment.now, uptime: moment.uptime)
        let actions = machine.handle(event, at: moment, using: &random)
        keeper.follow(machine, event, actions, now: moment.now)
        endTurn(event)
        for action in actions { perform(action) }
        failRequestsIfAway(event)
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
        case .startCapture: session.order(.capture)
        case .poll:
            requests.pollBegan()
            beginPoll()
        case .keepAlive: session.order(.keepAlive)
        case .refresh: session.order(.refresh)
        case .setClock: session.order(.setClock)
        case .command: startCommand()
        case .close: abandonSession()
        default: SupervisorLog.write(action, to: log)
        }
    }

    /// The poll begins when it is the device's turn at its site.
    private func beginPoll() {
        let (number, post) = (session.number, post)
        let isFree = services.gate.enter(device.id, site: device.site) { post.yield(.turn(session: number)) }
        if isFree { session.order(.poll) }
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
        let (post, services, device) = (post, services, device)
        let lastHeard = { @Sendable [weak self] in self?.noteHeard() ?? () }
        session.open(services.time, log) { number, commands in
            SessionRunner(
                driver: driver, device: device, services: services, commands: commands, heard: lastHeard,
                report: { post.yield(.report(session: number, $0)) })
        }
    }

    private nonisolated func noteHeard() {
        let now = services.time.uptime()
        lastHeard.withLock { $0 = now }
    }

    private func abandonSession() {
        session.abandon()
        services.gate.leave(device.id)
        requests.endRunningCommand()
    }

    private func endSession() async {
        abandonSession()
        await session.end(services.time, log)
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

    func publish() async {
        for event in keeper.takeEvents() { services.events.send(.device(device.id, event)) }
        keeper.stamp(savedStatus?.updatedAt ?? keeper.status.updatedAt)
        guard keeper.status != savedStatus else { return }
        keeper.stamp(services.time.now())
        let status = keeper.status
        savedStatus = status
        services.board.update(DeviceReport(device, status))
        await services.writer.saveStatus(status)
    }

    // MARK: Requests

    private func begin(
        _ continuation: CheckedContinuation<SupervisorRequests.PollOutcome, Never>, _ group: inout DiscardingTaskGroup
    ) async {
        if let refusal { return continuation.resume(returning: .failure(refusal)) }
        requests.add(continuation)
        await handle(.pollRequested, &group)
    }

    private func begin(_ pending: PendingCommand, _ group: inout DiscardingTaskGroup) async {
        if let refusal { return pending.finish(.failure(refusal)) }
        if requests.add(pending) { await handle(.commandRequested, &group) }
    }

    /// Why nothing can be asked of the device now.
    private var refusal: DeviceFault? {
        switch machine.state {
        case .disabled: DeviceFault(.badSettings, "the device is disabled")
        case .faulted(let fault): fault
        case .held: keeper.heldFault
        default: nil
        }
    }

    /// Hands the first command that somebody still waits for to the session.
    private func startCommand() {
        guard session.isOpen, let pending = requests.nextCommand() else {
            post.yield(.report(session: session.number, .event(.operationFinished)))
            return
        }
        session.order(.command(pending))
        if requests.hasCommands { post.yield(.event(.commandRequested)) }
    }

    private func failRequestsIfAway(_ event: SupervisorEvent) {
        switch event {
        case .openFailed(let fault), .captureEnded(let fault), .operationFailed(let fault): requests.fail(fault)
        default: break
        }
    }
}
