internal import DeviceKit
internal import ZKTecoWire

/// What a link to a terminal knows and holds at a moment.
struct LinkState: Sendable {
    /// Where a task may wait, one at each.
    enum Place: Hashable, Sendable {
        case answer, event, room, sensor
    }

    /// Event frames that wait to be captured. When it is full, nothing more is read, and the terminal has to wait.
    static let eventCapacity = 8_192
    /// Events of the sensor that wait while somebody enrols; more wait for nobody.
    private static let sensorCapacity = 64
    private static let sensorFlags = EventFlag.finger | EventFlag.enrollFinger | EventFlag.fingerScore

    var session: UInt16 = 0
    /// The terminal has let us in.
    var isOpen = false
    var roundTrip = RoundTripEstimate()
    var acknowledgement = EventAcknowledgement()
    var damaged = 0
    /// A request was sent again, or an answer came that nobody waited for.
    var wasDisturbed = false
    private var lastReplyNumber: UInt16 = .max
    private var awaited: UInt16?
    /// The answer that is awaited goes on with data.
    private var takesData = false
    var answers: [Packet] = []
    var events: [Packet] = []
    var isCapturing = false
    /// Events of the sensor, while somebody enrols.
    var sensorEvents: [Packet]?
    /// Why nothing more will arrive.
    var ending: DeviceFault?

    // MARK: Answers

    /// The next request. What arrives from now on with its reply number is its answer.
    mutating func begin(_ code: UInt16, _ payload: [UInt8]) -> Packet {
        // 65535 is never sent: other clients do not, and 0 follows 65534.
        lastReplyNumber = lastReplyNumber >= 65_534 ? 0 : lastReplyNumber + 1
        awaited = lastReplyNumber
        takesData = false
        answers = []
        return Packet(code: code, session: session, replyNumber: lastReplyNumber, payload: payload)
    }

    mutating func endExchange() {
        awaited = nil
        takesData = false
    }

    /// Keeps a packet that belongs to the request that is under way.
    ///
    /// Some terminals put neither the session nor the reply number into the header of DATA (one public source, WL10). Over
    /// TCP what stands between PREPARE_DATA and ACK_OK belongs to them, as nothing can be overtaken there.
    /// - Returns: `false` for a late answer, which is dropped.
    mutating func keepAnswer(_ packet: Packet, inOrder: Bool) -> Bool {
        guard let awaited, packet.replyNumber == awaited || (takesData && packet.code == Command.data) else {
            wasDisturbed = true
            return false
        }
        switch packet.code {
        case Command.prepareData: takesData = inOrder
        case Command.data: break
        default: takesData = false
        }
        answers.append(packet)
        return true
    }

    // MARK: Events

    var isFull: Bool { isCapturing && ending == nil && events.count >= Self.eventCapacity }

    /// Without a capture events are dropped: they stand in the log.
    mutating func keepEvent(_ packet: Packet) {
        if isCapturing { events.append(packet) }
    }

    /// Whether the event belongs to an enrolment, and is not for the capture.
    mutating func keepSensorEvent(_ packet: Packet) -> Bool {
        guard packet.session & Self.sensorFlags != 0, let waiting = sensorEvents else { return false }
        if waiting.count < Self.sensorCapacity { sensorEvents?.append(packet) }
        return true
    }
}
