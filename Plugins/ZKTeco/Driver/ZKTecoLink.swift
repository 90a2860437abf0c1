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
    /// Packets are datagrams, which may be lost, come twice and overtake each other.
    let isDatagram: Bool
    let transport: any Transport
    let time: any TimeSource
    let log: any DriverLog
    let state = WaitingState<LinkState, LinkState.Place>(LinkState())
    private let requests = TaskQueue()
    private let reader = Mutex<Task<Void, Never>?>(nil)

    init(_ transport: any Transport, over kind: Endpoint.Kind, time: any TimeSource, log: any DriverLog) {
        isDatagram = kind == .udp
        self.transport = transport
        self.time = time
        self.log = log
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

    func bytes(_ packet: Packet) -> [UInt8] { isDatagram ? packet.bytes : Frame.bytes(packet) }

    // MARK: Requests

    /// Sends a request and hands its answers to `body`, alone on the link until `body` returns.
    func exchange<Value: Sendable>(
        _ code: UInt16, _ payload: [UInt8] = [],
        _ body: (Exchange) async throws(DeviceFault) -> Value
    ) async throws(DeviceFault) -> Value {
        try await requests.enter()
        defer { requests.leave() }
        let (request, ending) = state.withLock { ($0.begin(code, payload), $0.ending) }
        if let ending { throw ending }
        defer { state.withLock { $0.endExchange() } }
        try await transport.send(bytes(request))
        return try await body(Exchange(link: self, request: request, sentAt: time.uptime()))
    }

    /// Sends a request that has one answer.
    func request(_ code: UInt16, _ payload: [UInt8] = [], within limit: Duration) async throws(DeviceFault) -> Packet {
        try await exchange(code, payload) { exchange throws(DeviceFault) in
            try await exchange.answer(within: limit)
        }
    }

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

    /// `nil` when none came in time.
    private func answer(within limit: Duration) async throws(DeviceFault) -> Packet? {
        let packet = try await next(at: .answer, within: limit) { state in
            state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
        if packet?.code == Reply.unauthorised, state.withLock({ $0.isOpen }) { throw OpeningFaults.sessionLost }
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

    // MARK: Waiting

    /// What `take` finds in the state; `nil` when it finds nothing in time.
    /// - Throws: what ended the link, once nothing is left to take.
    func next<Value: Sendable>(
        at place: LinkState.Place, within limit: Duration? = nil,
        _ take: @escaping @Sendable (inout LinkState) -> Value?
    ) async throws(DeviceFault) -> Value? {
        let look = { @Sendable [state] () async -> Result<Value, DeviceFault> in
            await state.wait(at: place) { state in
                take(&state).map { .success($0) } ?? state.ending.map { .failure($0) }
            } ?? .failure(.cancelled)
        }
        guard let limit else { return try await look().get() }
        switch await time.withDeadline(limit, look) {
        case .finished(let result): return try result.get()
        case .expired(.success(let value)): return value
        case .expired(.failure(let fault)):
            guard fault.code == .cancelled else { throw fault }
            return nil
        }
    }
}
