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
    private let ports: EmulatorPorts
    private let options: EmulatorOptions
    private let time: any TimeSource
    private let observer: (@Sendable (EmulatorObservation) -> Void)?
    private let truth: TruthFile?
    private var machine: EmulatorMachine
    private var outlets: [Int: Outlet] = [:]
    private var sessions: DatagramSessions<SocketAddress>
    private var datagramWrites: AsyncStream<DatagramWrite>.Continuation?
    /// The network towards the terminal, and away from it.
    private var network: (inwards: DatagramFaults, outwards: DatagramFaults)
    private var nextConnection = 1
    private var rate: Rate?
    /// Why the emulator ended by itself.
    private var failure: EmulatorError?
    /// The earliest uptime for which somebody waits.
    private var armed: Duration?
    private let deadlines: AsyncStream<Duration>
    private let announceDeadline: AsyncStream<Duration>.Continuation

    private typealias Link = EmulatorPorts.Link

    /// Where the writes of one connection go.
    private enum Outlet {
        case link(AsyncStream<WritePlan.Write>.Continuation, any Channel)
        case datagrams(SocketAddress)
    }

    private struct DatagramWrite: Sendable {
        let datagram: [UInt8]
        let address: SocketAddress
        let pauseAfter: Duration
    }

    /// A client that lets this many writes pile up is disconnected.
    private static let largestBacklog = 65_536

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
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepTime() }
            group.addTask { await self.punchAtRate() }
            if let listener = ports.listener { group.addTask { try await self.accept(listener) } }
            if let datagrams = ports.datagrams { group.addTask { try await self.serve(datagrams) } }
            // None of them ends by itself while the terminal is on.
            try await group.next()
            group.cancelAll()
        }
        if let failure { throw failure }
    }

    /// Ends ``run()``. Nothing happens when it has ended already.
    public func stop() { ports.close() }

    // MARK: TCP

    private func accept(_ listener: NIOAsyncChannel<Link, Never>) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await listener.executeThenClose { links in
                for try await link in links {
                    group.addTask { await self.serve(link) }
                }
            }
            group.cancelAll()
        }
    }

    private func serve(_ link: Link) async {
        let id = nextConnection
        nextConnection += 1
        let (writes, continuation) = AsyncStream.makeStream(
            of: WritePlan.Write.self, bufferingPolicy: .bufferingOldest(Self.largestBacklog))
        outlets[id] = .link(continuation, link.channel)
        handle(.connected(id, .tcp))
        // A broken link is how clients go away: the machine hears of it below, and nobody else needs to.
        try? await link.executeThenClose { inbound, outbound in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.read(inbound, from: id) }
                group.addTask { await self.write(writes, to: outbound) }
                await group.next()
                group.cancelAll()
            }
        }
        outlets[id] = nil
        handle(.disconnected(id))
    }

    private func read(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, from id: Int) async {
        var decoder = FrameDecoder()
        do {
            for try await buffer in inbound {
                decoder.append(buffer.readableBytesView)
                while let packet = try decoder.next() {
                    handle(.received(id, packet))
                }
            }
        } catch {
            // Not this protocol, or a broken link. Either way the connection ends here.
        }
    }

    private nonisolated func write(
        _ writes: AsyncStream<WritePlan.Write>, to outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async {
        do {
            for await write in writes {
                if write.pauseBefore > .zero { try await time.sleep(for: write.pauseBefore) }
                try await outbound.write(ByteBuffer(bytes: write.bytes))
                if write.pauseAfter > .zero { try await time.sleep(for: write.pauseAfter) }
            }
        } catch {
            // The client has gone; the reader sees it too.
        }
    }

    // MARK: UDP

    private func serve(_ port: NIOAsyncChannel<EmulatorPorts.Datagram, EmulatorPorts.Datagram>) async throws {
        let (writes, continuation) = AsyncStream.makeStream(
            of: DatagramWrite.self, bufferingPolicy: .bufferingOldest(Self.largestBacklog))
        datagramWrites = continuation
        try await port.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for try await envelope in inbound {
                        await self.receive(Array(envelope.data.readableBytesView), from: envelope.remoteAddress)
                    }
                }
                group.addTask { try await self.write(writes, to: outbound) }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func receive(_ datagram: [UInt8], from address: SocketAddress) {
        for datagram in network.inwards.pass(datagram) {
            // What is no packet is ignored: over UDP nothing is out of step.
            guard let packet = try? Packet(bytes: datagram[...]) else { continue }
            handle(.received(client(at: address), packet))
        }
    }

    private func client(at address: SocketAddress) -> Int {
        let now = time.uptime()
        if let known = sessions.client(at: address, now: now) { return known }
        for gone in sessions.removeExpired(now: now) { forget(gone) }
        let id = nextConnection
        nextConnection += 1
        sessions.add(id, at: address, now: now)
        outlets[id] = .datagrams(address)
        handle(.connected(id, .udp))
        return id
    }

    private func forget(_ id: Int) {
        sessions.remove(id)
        outlets[id] = nil
        handle(.disconnected(id))
    }

    private nonisolated func write(
        _ writes: AsyncStream<DatagramWrite>,
        to outbound: NIOAsyncChannelOutboundWriter<EmulatorPorts.Datagram>
    ) async throws {
        for await write in writes {
            let envelope = AddressedEnvelope(remoteAddress: write.address, data: ByteBuffer(bytes: write.datagram))
            // A client that is not there any more must not end the port for the others.
            try? await outbound.write(envelope)
            if write.pauseAfter > .zero { try await time.sleep(for: write.pauseAfter) }
        }
    }

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

    private func handle(_ input: EmulatorInput) {
        let moment = EmulatorMoment(wall: time.now(), uptime: time.uptime())
        perform(machine.handle(input, at: moment))
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
            failure = error
            stop()
        }
    }

    private struct Outgoing {
        let packet: Packet
        let flow: FrameFlow
        var isDamaged = false

        /// The second half of the header's second field is the checksum.
        func damaged(_ bytes: [UInt8], at offset: Int) -> [UInt8] {
            guard isDamaged, bytes.indices.contains(offset) else { return bytes }
            var bytes = bytes
            bytes[offset] ^= 0xFF
            return bytes
        }
    }

    private func write(_ frames: [Outgoing], to id: Int) {
        guard failure == nil, let outlet = outlets[id] else { return }
        switch outlet {
        case .link(let writes, let channel):
            let plan = WritePlan(options, machine.faults)
            for write in plan.writes(frames.map { ($0.damaged(Frame.bytes($0.packet), at: 10), $0.flow) }) {
                if case .dropped = writes.yield(write) {
                    channel.close(promise: nil)
                    return
                }
            }
        case .datagrams(let address):
            // A full queue loses datagrams, as a full buffer of a switch does.
            let delay = machine.faults.delay
            for (frame, write) in zip(frames, DatagramPlan.writes(frames.map(\.packet))) {
                for datagram in network.outwards.pass(frame.damaged(write.packet.bytes, at: 2)) {
                    datagramWrites?.yield(
                        DatagramWrite(datagram: datagram, address: address, pauseAfter: write.pauseAfter + delay))
                }
            }
        }
    }

    /// What was written before still goes out.
    private func close(_ id: Int) {
        switch outlets[id] {
        case .link(let writes, _): writes.finish()
        case .datagrams: forget(id)
        case nil: break
        }
    }

    /// Lets people punch by themselves. The rate may change at any time, so no pause is longer than a second.
    private func punchAtRate() async {
        var next = time.uptime()
        while !Task.isCancelled {
            let perSecond = rate?.perSecond ?? 0
            let now = time.uptime()
            let pause: Duration
            if perSecond > 0 {
                // After a long pause of the machine the missed punches are not made up for.
                next = max(next, now - .seconds(1))
                if next <= now {
                    handle(.punch(code: nil))
                    next += .milliseconds(max(1, Int64(1_000 / perSecond)))
                }
                pause = min(max(next - time.uptime(), .zero), .seconds(1))
            } else {
                next = now
                pause = .milliseconds(200)
            }
            guard pause > .zero else {
                await Task.yield()
                continue
            }
            guard (try? await time.sleep(for: pause)) != nil else { return }
        }
    }

    // MARK: Control

    /// Does what a line says and answers with a line for the person; empty when there is nothing to say.
    public func control(_ line: String) -> String {
        do throws(ControlLineError) {
            return control(try ControlLine(parsing: line))
        } catch {
            return error.description
        }
    }

    /// The same for one that was read already.
    public func control(_ line: ControlLine) -> String {
        switch line {
        case .punch(let code):
            let before = machine.recordCount
            handle(.punch(code: code))
            if machine.recordCount > before { return "" }
            return code.map { "nobody has the code \($0), or the log is full" } ?? "the log is full"
        case .burst(let count): handle(.burst(count))
        case .drop: handle(.drop)
        case .mute(let isOn): handle(.mute(isOn))
        case .fault(let fault, let lasting): handle(.fault(fault, lasting))
        case .stopScript: handle(.stopScript)
        case .end(let word): handle(.endFaults(word))
        case .rate(let rate): self.rate = rate
        case .records:
            let events = machine.connections.values.map(\.events)
            let (sent, acknowledged) = (events.map(\.sent).reduce(0, +), events.map(\.acknowledged).reduce(0, +))
            let repeated = events.map(\.repeated).reduce(0, +)
            return "\(machine.recordCount) records, \(sent) events sent, \(acknowledged) acknowledged"
                + (repeated == 0 ? "" : ", \(repeated) repeated")
        case .connections: return "\(outlets.count) connected, \(nextConnection - 1) since the start"
        case .help: return ControlLine.helpText
        case .quit: stop()
        }
        return ""
    }
}
