internal import DeviceKit
internal import Synchronization
internal import ZKTecoWire

/// One link to a terminal: a reader that sorts what arrives, and requests, one at a time.
///
/// Over TCP a packet is framed, and a damaged one ends the link. Over UDP a packet is a datagram: a damaged one is dropped,
/// and a request that may be done twice is sent again, byte for byte, while its answer does not come.
///
/// Live events (code 500) go to a bounded queue; answers go to the request whose reply number they carry; anything else
/// is a late answer and dropped.
final class ZKTecoLink: Sendable {
    /// Event frames that wait to be captured. When it is full, nothing more is read, and the terminal has to wait.
    static let eventCapacity = 8_192

    /// Packets are datagrams, which may be lost, come twice and overtake each other.
    let isDatagram: Bool
    private let transport: any Transport
    private let time: any TimeSource
    private let log: any DriverLog
    private let state: Mutex<State>
    private let requests = TaskQueue()
    private let reader = Mutex<Task<Void, Never>?>(nil)

    private struct State {
        var session: UInt16 = 0
        /// The terminal has let us in.
        var isOpen = false
        var roundTrip = RoundTripEstimate()
        var acknowledgement = EventAcknowledgement()
        var damaged = 0
        /// A request was sent again, or an answer came that nobody waited for.
        var wasDisturbed = false
        var lastReplyNumber: UInt16 = .max
        var awaited: UInt16?
        var answers: [Packet] = []
        var events: [Packet] = []
        var isCapturing = false
        /// Events of the sensor, while somebody enrols.
        var sensorEvents: [Packet]?
        /// Counts everything that a waiting task may wait for.
        var changes: UInt64 = 0
        /// Why nothing more will arrive.
        var ending: DeviceFault?
        var waiters: [Place: Waiter] = [:]
    }

    /// Where a task may wait, one at each.
    private enum Place: Hashable, CaseIterable {
        case answer, event, room, sensor
    }

    /// Resumed with `false` when its task was cancelled.
    private typealias Waiter = CheckedContinuation<Bool, Never>

    init(_ transport: any Transport, over kind: Endpoint.Kind, time: any TimeSource, log: any DriverLog) {
        isDatagram = kind == .udp
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

    /// The terminal has let us in. From now on an answer that says otherwise means that it has forgotten us.
    func markOpen() { state.withLock { $0.isOpen = true } }

    /// How long a datagram may be under way before it counts as lost.
    var patience: Duration { state.withLock { $0.roundTrip.patience } }

    /// Something was lost, doubled or late on the way.
    var wasDisturbed: Bool { state.withLock { $0.wasDisturbed } }

    var isCapturing: Bool { state.withLock { $0.isCapturing } }

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
        try await transport.send(bytes(request))
        return try await body(Exchange(link: self, request: request, sentAt: time.uptime()))
    }

    private func bytes(_ packet: Packet) -> [UInt8] { isDatagram ? packet.bytes : Frame.bytes(packet) }

    /// The answers to the request that is under way.
    struct Exchange: Sendable {
        fileprivate let link: ZKTecoLink
        fileprivate let request: Packet
        fileprivate let sentAt: Duration

        /// The first answer, or the next one. Over UDP the request is sent again while the first one does not come.
        /// - Throws: ``DeviceFault/Code/timedOut`` when none came in time, or what ended the link.
        func answer(within limit: Duration) async throws(DeviceFault) -> Packet {
            let packet =
                link.isDatagram && Repetition.isHarmless(request.code)
                ? try await link.answer(to: self, within: limit) : try await link.answer(within: limit)
            guard let packet else { throw OpeningFaults.silent(limit) }
            return packet
        }

        /// The next answer; `nil` when none comes in time.
        func answerIfAny(within limit: Duration) async throws(DeviceFault) -> Packet? {
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

    /// `nil` when none came in time.
    private func answer(within limit: Duration) async throws(DeviceFault) -> Packet? {
        let outcome = await time.withDeadline(limit) { await self.nextAnswer() }
        let packet: Packet
        switch outcome {
        case .finished(.success(let arrived)), .expired(.success(let arrived)): packet = arrived
        case .finished(.failure(let fault)): throw fault
        case .expired(.failure(let fault)):
            guard fault.code == .cancelled else { throw fault }
            return nil
        }
        if packet.code == Reply.unauthorised, state.withLock({ $0.isOpen }) { throw OpeningFaults.sessionLost }
        return packet
    }

    /// Sends the same bytes, with the same reply number, in growing intervals until an answer comes.
    private func answer(to exchange: Exchange, within limit: Duration) async throws(DeviceFault) -> Packet? {
        let request = exchange.request
        var pause = Repetition.isSlow(request.code) ? max(patience, Repetition.slowPatience) : patience
        var wasRepeated = false
        while true {
            let left = limit - (time.uptime() - exchange.sentAt)
            if let packet = try await answer(within: min(pause, left)) {
                if !wasRepeated, !Repetition.isSlow(request.code) {
                    let taken = time.uptime() - exchange.sentAt
                    state.withLock { $0.roundTrip.measured(taken) }
                }
                return packet
            }
            guard pause < left else { return nil }
            pause = min(pause * 2, Repetition.longestPatience)
            wasRepeated = true
            state.withLock { $0.wasDisturbed = true }
            log.debug("no answer, asking again", ["command": String(request.code)])
            try await transport.send(bytes(request))
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

    /// Tells the terminal that these events are safe, one frame for each. Over UDP a copy that was on its way together with
    /// its original needs none.
    func acknowledge(_ events: [Packet]) async throws(DeviceFault) {
        let acknowledgement = bytes(Packet(code: Reply.ok, session: session, replyNumber: 0))
        guard isDatagram else {
            return try await transport.send(Array(repeatElement(acknowledgement, count: events.count).joined()))
        }
        let now = time.uptime()
        let due = state.withLock { state in
            state.acknowledgement.due(events, now: now, patience: state.roundTrip.patience)
        }
        for _ in 0..<due { try await transport.send(acknowledgement) }
    }

    // MARK: The sensor

    /// More wait for nobody.
    private static let sensorCapacity = 64
    private static let sensorFlags = EventFlag.finger | EventFlag.enrollFinger | EventFlag.fingerScore

    /// What the sensor says is kept from now on, apart from the punches.
    func beginEnrolment() { state.withLock { $0.sensorEvents = [] } }

    func endEnrolment() { state.withLock { $0.sensorEvents = nil } }

    /// The next event of the sensor; `nil` when none comes in time.
    func sensorEvent(within limit: Duration) async throws(DeviceFault) -> Packet? {
        let outcome = await time.withDeadline(limit) { () -> Result<Packet, DeviceFault> in
            await self.wait(at: .sensor) { state in
                if let event = state.sensorEvents?.first {
                    state.sensorEvents?.removeFirst()
                    return .success(event)
                }
                return state.ending.map { .failure($0) }
            }
        }
        switch outcome {
        case .finished(let result): return try result.get()
        case .expired(.success(let event)): return event
        case .expired(.failure(let fault)):
            guard fault.code == .cancelled else { throw fault }
            return nil
        }
    }

    /// Tells the terminal that one event of its sensor has arrived. Two of them may be equal to the byte.
    func acknowledgeOnce() async throws(DeviceFault) {
        try await transport.send(bytes(Packet(code: Reply.ok, session: session, replyNumber: 0)))
    }

    /// Whether the event belongs to an enrolment.
    private func deliverToSensor(_ packet: Packet) -> Bool {
        guard packet.session & Self.sensorFlags != 0 else { return false }
        let (isTaken, waiter) = state.withLock { state -> (Bool, Waiter?) in
            guard let waiting = state.sensorEvents else { return (false, nil) }
            guard waiting.count < Self.sensorCapacity else { return (true, nil) }
            state.sensorEvents?.append(packet)
            state.changes &+= 1
            return (true, state.waiters.removeValue(forKey: .sensor))
        }
        waiter?.resume(returning: true)
        return isTaken
    }

    // MARK: Reading

    private func read() async {
        do throws(DeviceFault) {
            if isDatagram { try await readDatagrams() } else { try await readStream() }
            end(DeviceFault(.connectionLost, "the terminal closed the connection"))
        } catch {
            end(error)
        }
    }

    private func readStream() async throws(DeviceFault) {
        var decoder = FrameDecoder()
        while let bytes = try await transport.receive() {
            decoder.append(bytes)
            while let packet = try Self.next(&decoder) { await sort(packet) }
        }
    }

    private func readDatagrams() async throws(DeviceFault) {
        while let datagram = try await transport.receive() {
            do throws(WireError) {
                await sort(try Packet(bytes: datagram[...]))
            } catch {
                let count = state.withLock { state in
                    state.damaged += 1
                    return state.damaged
                }
                log.debug("dropped a damaged datagram", ["reason": error.description, "so far": String(count)])
            }
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
        if deliverToSensor(packet) { return }
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
            guard state.awaited == packet.replyNumber else {
                state.wasDisturbed = true
                return (nil, true)
            }
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
