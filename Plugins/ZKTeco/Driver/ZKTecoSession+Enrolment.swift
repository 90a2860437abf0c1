internal import DeviceKit
internal import ZKTecoWire

extension ZKTecoSession: FingerEnrolment {
    /// Nobody stands at a terminal for longer.
    private static let sensorPatience = Duration.seconds(60)
    /// More events than this are no enrolment.
    private static let maximumSensorEvents = 64

    func enrol(
        _ request: EnrolmentRequest, progress: @escaping @Sendable (EnrolmentEvent) async -> Void
    ) async throws(DeviceFault) -> Int? {
        let finger = try Self.finger(request.finger)
        guard try await readUserTable().users.contains(where: { $0.code == request.code }) else {
            throw CommandFaults.nobody(request.code)
        }
        let start = EnrolmentStart(code: request.code, finger: finger, flag: request.isDuress ? 3 : 1)
        link.beginEnrolment()
        defer { link.endEnrolment() }
        do throws(DeviceFault) {
            try await begin(start)
            await progress(.waiting)
            let byteCount = try await followSensor(progress)
            await endEnrolment()
            return byteCount
        } catch {
            // The terminal stops asking for the finger, also when nobody waits for it any more.
            await endEnrolment()
            throw error
        }
    }

    private func begin(_ start: EnrolmentStart) async throws(DeviceFault) {
        try await registerEvents(
            EventFlag.attendance | EventFlag.finger | EventFlag.enrollFinger | EventFlag.fingerScore)
        _ = try await request(Command.cancelCapture)
        var payload = start.longPayload
        if link.isDatagram {
            guard let short = start.shortPayload else {
                throw DeviceFault(.invalidRequest, "over UDP only people whose code is a number can be enrolled")
            }
            payload = short
        }
        try await perform(Command.startEnroll, payload, to: "enrol finger \(start.finger) of \(start.code)")
    }

    /// Each event is acknowledged, or the terminal does not go on.
    private func followSensor(
        _ progress: @Sendable (EnrolmentEvent) async -> Void
    ) async throws(DeviceFault) -> Int? {
        for _ in 0..<Self.maximumSensorEvents {
            guard let event = try await link.sensorEvent(within: Self.sensorPatience) else {
                throw DeviceFault(.rejected, "nobody put the finger on the terminal within \(Self.sensorPatience)")
            }
            try await link.acknowledgeOnce()
            switch event.session {
            case EventFlag.finger: await progress(.placed)
            case EventFlag.fingerScore: await progress(.sample(isGood: event.payload.first == 100))
            default:
                guard let end = EnrolmentCompletion(payload: event.payload) else { continue }
                return try Self.outcome(end)
            }
        }
        throw DeviceFault(.rejected, "the terminal does not come to an end with the enrolment")
    }

    private static func outcome(_ end: EnrolmentCompletion) throws(DeviceFault) -> Int? {
        switch end.result {
        case .stored: return end.templateByteCount == 0 ? nil : Int(end.templateByteCount)
        case .duplicate: throw DeviceFault(.rejected, "the finger is enrolled already")
        case .timedOut:
            throw DeviceFault(.rejected, "the terminal gave up: the finger did not come, or was not read well")
        case .other(let number): throw DeviceFault(.rejected, "the terminal ended the enrolment with \(number)")
        }
    }

    private func endEnrolment() async {
        await sayAfterwards(Command.registerEvents, Self.mask(link.isCapturing ? EventFlag.attendance : 0))
        await sayAfterwards(Command.cancelCapture)
        await sayAfterwards(Command.startVerify)
    }
}
