public import DeviceKit
internal import NIOCore
internal import NIOPosix
internal import ZKTecoWire

/// A terminal on a port, TCP and UDP: performs what ``EmulatorMachine`` decides.
///
/// ```swift
/// let emulator = try await EmulatorServer.bind(options)  // emulator.port is open now
/// try await emulator.run()                               // until cancelled, or until stop()
/// ```
public actor EmulatorServer {
    /// The address and the port that clients dial.
    public nonisolated let host: String
    public nonisolated let port: Int
    let options: EmulatorOptions
    let time: any TimeSource
    private let observer: (@Sendable (EmulatorObservation) -> Void)?
    private let truth: TruthFile?
    private(set) var machine: EmulatorMachine
    let ports: EmulatorPorts
    var door: StreamDoor
    var outlets: [Int: Outlet] = [:]
    var sessions: DatagramSessions<SocketAddress>
    var datagramWrites: AsyncStream<DatagramWrite>.Continuation?
    /// The network towards the terminal, and away from it.
    var network: (inwards: DatagramFaults, outwards: DatagramFaults)
    private(set) var connectionCount = 0
    var rate: Rate?
    /// Why the emulator ended by itself.
    private(set) var failure: EmulatorError?
    /// The earliest uptime for which somebody waits.
    private var armed: Duration?
    private let deadlines: AsyncStream<Duration>
    private let announceDeadline: AsyncStream<Duration>.Continuation

    /// Where the writes of one connection go.
    enum Outlet {
        case link(AsyncStream<WritePlan.Write>.Continuation, any Channel)
        case datagrams(SocketAddress)
    }

    /// A client that lets this many writes pile up is disconnected.
    static let largestBacklog = 65_536

    /// Prepares the terminal (people, history, truth file) and opens its port.
    /// - Throws: ``EmulatorError`` when an option is unusable, the truth file cannot be used or the port is taken.
    public static func bind(
        _ options: EmulatorOptions, time: any TimeSource = SystemTime()
    ) async throws(EmulatorError) -> EmulatorServer {
        let opened = try options.truthPath.map { path throws(EmulatorError) in try TruthFile.open(path: path) }
        let moment = EmulatorMoment(wall: time.now(), uptime: time.uptime())
        let (machine, records) = try EmulatorMachine.make(options, restoring: opened?.records, at: moment)
        if opened?.records == nil { try opened?.file.append(records) }
        let ports: EmulatorPorts
        do {
            ports = try await EmulatorPorts.open(options.transports, host: options.host, port: options.port)
        } catch {
            throw EmulatorError("cannot listen on \(options.host):\(options.port): \(error)")
        }
        return EmulatorServer(options, machine: machine, truth: opened?.file, ports: ports, time: time)
    }

    private init(
        _ options: EmulatorOptions, machine: EmulatorMachine, truth: sending TruthFile?,
        ports: EmulatorPorts, time: any TimeSource
    ) {
        self.machine = machine
        self.truth = truth
        self.ports = ports
        door = StreamDoor(ports.streams?.listener)
        self.time = time
        host = options.host
        port = ports.number
        sessions = DatagramSessions(lifetime: options.datagramSessionLifetime)
        network = (
            DatagramFaults(options.datagramFaults, seed: options.seed),
            DatagramFaults(options.datagramFaults, seed: ~options.seed)
        )
        self.options = options
        observer = options.observer
        rate = options.rate
        (deadlines, announceDeadline) = AsyncStream.makeStream(of: Duration.self)
    }

    // MARK: Running

    /// Serves until the task is cancelled or ``stop()`` is called; then every connection is closed.
    public func run() async throws {
        defer { stop() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepTime() }
            group.addTask { await self.punchAtRate() }
            if let streams = ports.streams {
                group.addTask { await self.keepListening(streams) }
                group.addTask { await self.serveStreams(streams) }
            }
            if let datagrams = ports.datagrams { group.addTask { try await self.serve(datagrams) } }
            // None of them ends by itself while the terminal is on.
            try await group.next()
            group.cancelAll()
        }
        if let failure { throw failure }
    }

    /// Ends ``run()``. Nothing happens when it has ended already.
    public func stop() {
        door.shut()
        ports.datagrams?.channel.close(promise: nil)
    }

    /// Ends ``run()`` with an error.
    func fail(_ error: EmulatorError) {
        failure = failure ?? error
        stop()
    }

    /// The number of a new connection.
    func number() -> Int {
        connectionCount += 1
        return connectionCount
    }

    // MARK: Time

    /// Lets events go on whose client does not acknowledge, and the script of faults.
    private func keepTime() async {
        handle(.timePassed)
        await withDiscardingTaskGroup { group in
            for await deadline in deadlines {
                group.addTask {
                    guard (try? await self.time.sleep(for: deadline - self.time.uptime())) != nil else { return }
                    await self.wake(deadline)
                }
            }
        }
    }

    private func wake(_ deadline: Duration) {
        if armed == deadline { armed = nil }
        handle(.timePassed)
    }

    // MARK: Performing

    func handle(_ input: EmulatorInput) {
        let moment = EmulatorMoment(wall: time.now(), uptime: time.uptime())
        perform(machine.handle(input, at: moment))
        door.keep(isOpen: !machine.faults.refusesConnections)
        guard let deadline = machine.nextDeadline, armed.map({ deadline < $0 }) ?? true else { return }
        armed = deadline
        announceDeadline.yield(deadline)
    }

    private func perform(_ effects: [EmulatorEffect]) {
        var frames: [Int: [Outgoing]] = [:]
        var closing: [Int] = []
        for effect in effects {
            switch effect {
            case .keep(let records): keep { file throws(EmulatorError) in try file.append(records) }
            case .forgetLog(let count): keep { file throws(EmulatorError) in try file.clear(count) }
            case .overwrite(let count): keep { file throws(EmulatorError) in try file.overwrite(count) }
            case .setRate(let rate): self.rate = rate
            case .send(let id, let packet, let flow):
                frames[id, default: []].append(Outgoing(packet: packet, flow: flow))
            case .sendDamaged(let id, let packet, let flow):
                frames[id, default: []].append(Outgoing(packet: packet, flow: flow, isDamaged: true))
            case .close(let id): closing.append(id)
            case .observe(let observation): observer?(observation)
            }
        }
        for (id, ready) in frames { write(ready, to: id) }
        for id in closing { close(id) }
    }

    /// A truth that cannot be written would judge wrongly, so the emulator ends.
    private func keep(_ change: (TruthFile) throws(EmulatorError) -> Void) {
        guard let truth else { return }
        do throws(EmulatorError) {
            try change(truth)
        } catch {
            fail(error)
        }
    }
}
