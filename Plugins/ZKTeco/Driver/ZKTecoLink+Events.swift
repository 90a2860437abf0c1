internal import DeviceKit
internal import ZKTecoWire

// What a terminal says by itself: punches for the capture, and the sensor for an enrolment.
extension ZKTecoLink {
    var isCapturing: Bool { state.withLock { $0.isCapturing } }

    /// Events are kept from now on. Without it they are dropped: they stand in the log.
    func beginCapture() { state.withLock { $0.isCapturing = true } }

    func endCapture() {
        state.change(waking: .room) { state in
            state.isCapturing = false
            state.events = []
        }
    }

    /// At least one event, at most `limit`, in the order of arrival.
    func events(limit: Int) async throws(DeviceFault) -> [Packet] {
        let taken = try await next(at: .event) { state -> [Packet]? in
            guard !state.events.isEmpty else { return nil }
            let taken = Array(state.events.prefix(limit))
            state.events.removeFirst(taken.count)
            return taken
        }
        state.change(waking: .room) { _ in }
        return taken ?? []
    }

    /// Tells the terminal that these events are safe, one frame for each. Over UDP a copy that was on its way together with
    /// its original needs none.
    func acknowledge(_ events: [Packet]) async throws(DeviceFault) {
        guard isDatagram else {
            return try await transport.send(Array(repeatElement(acknowledgement, count: events.count).joined()))
        }
        let now = time.uptime()
        let due = state.withLock { state in
            state.acknowledgement.due(events, now: now, patience: state.roundTrip.patience)
        }
        for _ in 0..<due { try await transport.send(acknowledgement) }
    }

    private var acknowledgement: [UInt8] { bytes(Packet(code: Reply.ok, session: session, replyNumber: 0)) }

    // MARK: The sensor

    /// What the sensor says is kept from now on, apart from the punches.
    func beginEnrolment() { state.withLock { $0.sensorEvents = [] } }

    func endEnrolment() { state.withLock { $0.sensorEvents = nil } }

    /// The next event of the sensor; `nil` when none comes in time.
    func sensorEvent(within limit: Duration) async throws(DeviceFault) -> Packet? {
        try await next(at: .sensor, within: limit) { state in
            guard let event = state.sensorEvents?.first else { return nil }
            state.sensorEvents?.removeFirst()
            return event
        }
    }

    /// Tells the terminal that one event of its sensor has arrived. Two of them may be equal to the byte.
    func acknowledgeOnce() async throws(DeviceFault) { try await transport.send(acknowledgement) }
}
