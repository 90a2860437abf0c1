public import DeviceKit
internal import NIOCore
internal import NIOPosix
internal import ZKTecoWire

/// A terminal on a TCP port: performs what ``EmulatorMachine`` decides.
///
/// ```swift
/// let emulator = try await EmulatorServer.bind(options)  // emulator.port is open now
/// try await emulator.run()                               // until cancelled, or until stop()
/// ```
public actor EmulatorServer {
    /// The port that clients dial.
    public nonisolated let port: Int
    private let listener: NIOAsyncChannel<Link, Never>
    private let plan: WritePlan
    private let time: any TimeSource
    private let observer: (@Sendable (EmulatorObservation) -> Void)?
    private let truth: TruthFile?
    private var machine: EmulatorMachine
    private var outlets: [Int: Outlet] = [:]
    private var nextConnection = 1
    private var rate: Rate?
    /// Why the emulator ended by itself.
    private var failure: EmulatorError?
    private let deadlines: AsyncStream<Duration>
    private let announceDeadline: AsyncStream<Duration>.Continuation

    typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Where the writes of one connection go.
    private struct Outlet {
        let writes: AsyncStream<WritePlan.Write>.Continuation
        let channel: any Channel
    }

    /// A client that lets this many writes pile up is disconnected.
    private static let largestBacklog = 8_192

    /// Prepares the terminal (people, history, truth file) and opens its port.
    /// - Throws: ``EmulatorError`` when an option is unusable, the truth file cannot be used or the port is taken.
    public static func bind(
        _ options: EmulatorOptions, time: any TimeSource = SystemTime()
    ) async throws(EmulatorError) -> EmulatorServer {
        let opened = try options.truthPath.map { path throws(EmulatorError) in try TruthFile.open(path: path) }
        let moment = EmulatorMoment(wall: time.now(), uptime: time.uptime())
        let (machine, records) = try EmulatorMachine.make(options, restoring: opened?.records, at: moment)
        if opened?.records == nil { try opened?.file.append(records) }
        let listener: NIOAsyncChannel<Link, Never>
        do {
            listener = try await listen(host: options.host, port: options.port)
        } catch {
            throw EmulatorError("cannot listen on \(options.host):\(options.port): \(error)")
        }
        return EmulatorServer(options, machine: machine, truth: opened?.file, listener: listener, time: time)
    }

    private init(
        _ options: EmulatorOptions, machine: EmulatorMachine, truth: sending TruthFile?,
        listener: NIOAsyncChannel<Link, Never>, time: any TimeSource
    ) {
        self.machine = machine
        self.truth = truth
        self.listener = listener
        self.time = time
        port = listener.channel.localAddress?.port ?? options.port
        plan = WritePlan(options)
        observer = options.observer
        rate = options.rate
        (deadlines, announceDeadline) = AsyncStream.makeStream(of: Duration.self, bufferingPolicy: .bufferingNewest(1))
    }

    private static func listen(host: String, port: Int) async throws -> NIOAsyncChannel<Link, Never> {
        try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Link(wrappingChannelSynchronously: channel)
                }
            }
    }

    // MARK: Running

    /// Serves until the task is cancelled or ``stop()`` is called; then every connection is closed.
    public func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await self.keepTime() }
            group.addTask { await self.punchAtRate() }
            try await listener.executeThenClose { links in
                for try await link in links {
                    group.addTask { await self.serve(link) }
                }
            }
            group.cancelAll()
        }
        if let failure { throw failure }
    }

    /// Ends ``run()``. Nothing happens when it has ended already.
    public func stop() {
        listener.channel.close(promise: nil)
    }

    private func serve(_ link: Link) async {
        let id = nextConnection
        nextConnection += 1
        let (writes, continuation) = AsyncStream.makeStream(
            of: WritePlan.Write.self, bufferingPolicy: .bufferingOldest(Self.largestBacklog))
        outlets[id] = Outlet(writes: continuation, channel: link.channel)
        handle(.connected(id))
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
                try await outbound.write(ByteBuffer(bytes: write.bytes))
                if write.pauseAfter > .zero { try await time.sleep(for: write.pauseAfter) }
            }
        } catch {
            // The client has gone; the reader sees it too.
        }
    }

    /// Lets events go on whose client does not acknowledge.
    private func keepTime() async {
        for await deadline in deadlines {
            do throws(CancellationError) {
                try await time.sleep(for: deadline - time.uptime())
            } catch {
                return
            }
            handle(.timePassed)
        }
    }

    // MARK: Performing

    private func handle(_ input: EmulatorInput) {
        let moment = EmulatorMoment(wall: time.now(), uptime: time.uptime())
        perform(machine.handle(input, at: moment))
        if let deadline = machine.nextDeadline { announceDeadline.yield(deadline) }
    }

    private func perform(_ effects: [EmulatorEffect]) {
        var frames: [Int: [(bytes: [UInt8], flow: FrameFlow)]] = [:]
        var closing: [Int] = []
        for effect in effects {
            switch effect {
            case .keep(let records): keep { file throws(EmulatorError) in try file.append(records) }
            case .forgetLog: keep { file throws(EmulatorError) in try file.clear() }
            case .send(let id, let packet, let flow): frames[id, default: []].append((Frame.bytes(packet), flow))
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

    private func write(_ frames: [(bytes: [UInt8], flow: FrameFlow)], to id: Int) {
        guard failure == nil, let outlet = outlets[id] else { return }
        for write in plan.writes(frames) {
            if case .dropped = outlet.writes.yield(write) {
                outlet.channel.close(promise: nil)
                return
            }
        }
    }

    /// What was written before still goes out.
    private func close(_ id: Int) { outlets[id]?.writes.finish() }

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
        case .rate(let rate): self.rate = rate
        case .records:
            let events = machine.connections.values.map(\.events)
            let (sent, acknowledged) = (events.map(\.sent).reduce(0, +), events.map(\.acknowledged).reduce(0, +))
            return "\(machine.recordCount) records, \(sent) events sent, \(acknowledged) acknowledged"
        case .help: return ControlLine.helpText
        case .quit: stop()
        }
        return ""
    }
}
