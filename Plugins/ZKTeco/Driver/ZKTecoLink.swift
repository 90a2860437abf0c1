internal import DeviceKit
internal import Synchronization
internal import ZKTecoWire

/// One TCP link to a terminal: a reader that sorts what arrives, and requests, one at a time.
///
/// Live events (code 500) go to a bounded queue; answers go to the request whose reply number they carry; anything else
/// is a late answer and dropped.
final class ZKTecoLink: Sendable {
    /// Event frames that wait to be captured. When it is full, nothing more is read, and the terminal has to wait.
    static let eventCapacity = 8_192

    private let transport: any Transport
    private let time: any TimeSource
    private let log: any DriverLog
    private let state: Mutex<State>
    private let requests = TaskQueue()
    private let reader = Mutex<Task<Void, Never>?>(nil)

    private struct State {
        var session: UInt16 = 0
        var lastReplyNumber: UInt16 = .max
        var awaited: UInt16?
        var answers: [Packet] = []
        var events: [Packet] = []
        var isCapturing = false
        /// Counts everything that a waiting task may wait for.
        var changes: UInt64 = 0
        /// Why nothing more will arrive.
        var ending: DeviceFault?
        var waiters: [Place: Waiter] = [:]
    }

    /// Where a task may wait, one at each.
    private enum Place: Hashable, CaseIterable {
        case answer, event, room
    }

    /// Resumed with `false` when its task was cancelled.
    private typealias Waiter = CheckedContinuation<Bool, Never>

    init(_ transport: any Transport, time: any TimeSource, log: any DriverLog) {
        self.transport = transport
        self.time = time
        self.log = log
        state = Mutex(State())
    }

    /// The session that the terminal gave us; 0 before the answer to CONNECT.
    var session: UInt16 {
        get { state.withLock { $0.session } }
        set { state.withLock { $0.session = newValue } }
    }

    /// Starts the reader. It belongs to the link and ends with ``close()``.
    func start() {
        reader.withLock { $0 = Task { await self.read() } }
    }

    /// Drops the link and waits until the reader has ended.
    func close() async {
        end(DeviceFault(.connectionLost, "the session was closed"))
        await transport.close()
        let task = reader.withLock { $0.take() }
        task?.cancel()
        await task?.value
    }

    // MARK: Requests

    /// Sends a request and hands its answers to `body`, alone on the link until `body` returns.
    func exchange<Value: Sendable>(
        _ code: UInt16, _ payload: [UInt8] = [],
        _ body: (Exchange) async throws(DeviceFault) -> Value
    ) async throws(DeviceFault) -> Value {
        try await requests.enter()
        defer { requests.leave() }
        let request = try begin(code, payload)
        defer { state.withLock { $0.awaited = nil } }
        try await transport.send(Frame.bytes(request))
        return try await body(Exchange(link: self))
    }

    /// The answers to the request that is under way.
    struct Exchange: Sendable {
        fileprivate let link: ZKTecoLink

        /// - Throws: ``DeviceFault/Code/timedOut`` when none came in time, or what ended the link.
        func answer(within limit: Duration) async throws(DeviceFault) -> Packet {
            try await link.answer(within: limit)
        }
    }

    /// Sends a request that has one answer.
    func request(_ code: UInt16, _ payload: [UInt8] = [], within limit: Duration) async throws(DeviceFault) -> Packet {
        try await exchange(code, payload) { exchange throws(DeviceFault) in
            try await exchange.answer(within: limit)
        }
    }

    private func begin(_ code: UInt16, _ payload: [UInt8]) throws(DeviceFault) -> Packet {
        let (packet, ending) = state.withLock { state -> (Packet, DeviceFault?) in
            // 65535 is never sent: other clients do not, and 0 follows 65534.
            state.lastReplyNumber = state.lastReplyNumber >= 65_534 ? 0 : state.lastReplyNumber + 1
            state.awaited = state.lastReplyNumber
            state.answers = []
            let packet = Packet(
                code: code, session: state.session, replyNumber: state.lastReplyNumber, payload: payload)
            return (packet, state.ending)
        }
        if let ending { throw ending }
        return packet
    }

    private func answer(within limit: Duration) async throws(DeviceFault) -> Packet {
        let outcome = await time.withDeadline(limit) { await self.nextAnswer() }
        switch outcome {
        case .finished(.success(let packet)), .expired(.success(let packet)): return packet
        case .finished(.failure(let fault)): throw fault
        case .expired(.failure(let fault)):
            guard fault.code == .cancelled else { throw fault }
            throw DeviceFault(
                .timedOut,
                "the terminal did not answer within \(limit): it may be busy, or talk to another system")
        }
    }

    private func nextAnswer() async -> Result<Packet, DeviceFault> {
        await wait(at: .answer) { state in
            if !state.answers.isEmpty { return .success(state.answers.removeFirst()) }
            return state.ending.map { .failure($0) }
        }
    }

    // MARK: Events

    /// Events are kept from now on. Without it they are dropped: they stand in the log.
    func beginCapture() { state.withLock { $0.isCapturing = true } }

    func endCapture() {
        let waiter = state.withLock { state in
            state.isCapturing = false
            state.events = []
            state.changes &+= 1
            return state.waiters.removeValue(forKey: .room)
        }
        waiter?.resume(returning: true)
    }

    /// At least one event, at most `limit`, in the order of arrival.
    func events(limit: Int) async throws(DeviceFault) -> [Packet] {
        let outcome: Result<[Packet], DeviceFault> = await wait(at: .event) { state in
            if state.events.isEmpty { return state.ending.map { .failure($0) } }
            let taken = Array(state.events.prefix(limit))
            state.events.removeFirst(taken.count)
            return .success(taken)
        }
        let waiter = state.withLock { state in
            state.changes &+= 1
            return state.waiters.removeValue(forKey: .room)
        }
        waiter?.resume(returning: true)
        return try outcome.get()
    }

    /// Tells the terminal that `count` events are safe, one frame for each.
    func acknowledge(_ count: Int) async throws(DeviceFault) {
        let frame = Frame.bytes(Packet(code: Reply.ok, session: session, replyNumber: 0))
        try await transport.send(Array(repeatElement(frame, count: count).joined()))
    }

    // MARK: Reading

    private func read() async {
        var decoder = FrameDecoder()
        do throws(DeviceFault) {
            while let bytes = try await transport.receive() {
                decoder.append(bytes)
                while let packet = try Self.next(&decoder) { await sort(packet) }
            }
            end(DeviceFault(.connectionLost, "the terminal closed the connection"))
        } catch {
            end(error)
        }
    }

    private static func next(_ decoder: inout FrameDecoder) throws(DeviceFault) -> Packet? {
        do throws(FrameError) {
            return try decoder.next()
        } catch {
            throw OpeningFaults.fault(for: error)
        }
    }

    private func sort(_ packet: Packet) async {
        guard packet.code == Command.registerEvents else { return deliverAnswer(packet) }
        let mustWait = state.withLock { $0.isCapturing && $0.events.count >= Self.eventCapacity }
        if mustWait {
            let _: Result<Bool, DeviceFault> = await wait(at: .room) { state in
                if state.ending != nil || !state.isCapturing { return .success(true) }
                return state.events.count < Self.eventCapacity ? .success(true) : nil
            }
        }
        let waiter = state.withLock { state -> Waiter? in
            guard state.isCapturing else { return nil }
            state.events.append(packet)
            state.changes &+= 1
            return state.waiters.removeValue(forKey: .event)
        }
        waiter?.resume(returning: true)
    }

    private func deliverAnswer(_ packet: Packet) {
        let (waiter, isLate) = state.withLock { state -> (Waiter?, Bool) in
            guard state.awaited == packet.replyNumber else { return (nil, true) }
            state.answers.append(packet)
            state.changes &+= 1
            return (state.waiters.removeValue(forKey: .answer), false)
        }
        if isLate { log.debug("dropped an answer that nobody waits for", ["code": String(packet.code)]) }
        waiter?.resume(returning: true)
    }

    private func end(_ fault: DeviceFault) {
        let waiters = state.withLock { state in
            state.ending = state.ending ?? fault
            state.changes &+= 1
            defer { state.waiters.removeAll() }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    // MARK: Waiting

    /// Returns what `look` finds, waiting until it finds something or the task is cancelled. One task waits at a place.
    private func wait<Value: Sendable>(
        at place: Place,
        _ look: @Sendable (inout State) -> Result<Value, DeviceFault>?
    ) async -> Result<Value, DeviceFault> {
        while true {
            let (found, seen) = state.withLock { (look(&$0), $0.changes) }
            if let found { return found }
            let woken = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let answer: Bool? = state.withLock { state in
                        if Task.isCancelled { return false }
                        if state.changes != seen { return true }
                        state.waiters[place] = continuation
                        return nil
                    }
                    if let answer { continuation.resume(returning: answer) }
                }
            } onCancel: {
                state.withLock { $0.waiters.removeValue(forKey: place) }?.resume(returning: false)
            }
            if !woken { return .failure(.cancelled) }
        }
    }
}
