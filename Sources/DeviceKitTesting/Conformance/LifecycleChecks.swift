internal import DeviceKit

// Opening, closing and being cancelled.
extension DriverConformance {
    private static var openingCount: Int { 50 }
    /// So many places are tried at the most; a session of more waits is cut there.
    private static var maximumCancellationCount: Int { 200 }

    func checkReopening() async throws(Verdict) -> String {
        let rig = try await makeRig()
        var identities: Set<DeviceIdentity> = []
        for number in 1...Self.openingCount {
            let session = try await rig.open()
            identities.insert(session.identity)
            try await rig.close(session)
            let left = rig.instruments.openLinkCount
            try require(left == 0, "\(left) links were open after close number \(number)")
        }
        try require(identities.count == 1, "the identity changed between sessions: \(identities)")
        return "opened and closed \(Self.openingCount) times"
    }

    func checkClosing() async throws(Verdict) -> String {
        let rig = try await makeRig()
        let idle = try await rig.open()
        try await rig.close(idle, "close of an idle session")
        try await rig.close(idle, "the second close")
        try await checkUseAfterClose(rig, idle)
        var interrupted = ["an idle session"]
        if try await closeDuringPoll(rig) { interrupted.append("a poll") }
        if try await closeDuringCapture(rig) { interrupted.append("a capture") }
        let left = rig.instruments.openLinkCount
        try require(left == 0, "\(left) links were open after every session was closed")
        try await rig.close(try await rig.open(), "close of a session after these")
        return "closed \(interrupted.joined(separator: ", ")), each twice"
    }

    /// A closed session must say so instead of answering or hanging.
    private func checkUseAfterClose(_ rig: Rig<Driver>, _ session: any DeviceSession) async throws(Verdict) {
        guard let session = session as? any PollingSession else { return }
        let answer = try await rig.answer(of: "poll after close") { () async throws(DeviceFault) in
            try await session.poll(PollRequest(cursor: nil, limit: 10))
        }.get()
        guard case .failure(let fault) = answer else { throw .failed("a closed session still polls") }
        try requireInterruption(fault, "poll after close")
    }

    private func closeDuringPoll(_ rig: Rig<Driver>) async throws(Verdict) -> Bool {
        let opened = try await rig.open()
        guard let session = opened as? any PollingSession else {
            try await rig.close(opened)
            return false
        }
        let poll = Task { try? await session.poll(PollRequest(cursor: nil, limit: 1_000)) }
        try await rig.close(session, "close during a poll")
        try await rig.close(session, "the second close during a poll")
        _ = try await patience.wait(for: "a poll whose session was closed") { await poll.value }
        return true
    }

    private func closeDuringCapture(_ rig: Rig<Driver>) async throws(Verdict) -> Bool {
        let opened = try await rig.open()
        guard let session = opened as? any CapturingSession else {
            try await rig.close(opened)
            return false
        }
        let receiver = RecordingReceiver()
        let capture = Task { await Self.fault(of: session, receiver) }
        try await patience.wait(for: "the subscription of a capture") { await receiver.waitForSubscription() }
        try await rig.close(session, "close during a capture")
        try await rig.close(session, "the second close during a capture")
        let fault = try await patience.wait(for: "a capture whose session was closed") { await capture.value }
        guard let fault else {
            throw .failed("a capture whose session was closed returned as if it had been cancelled")
        }
        try requireInterruption(fault, "a capture whose session was closed")
        return true
    }

    private func requireInterruption(_ fault: DeviceFault, _ what: String) throws(Verdict) {
        try require(
            fault.code == .connectionLost || fault.code == .cancelled,
            "\(what) threw \(fault.code.rawValue) instead of connection-lost or cancelled")
    }

    /// How a capture ends; `nil` when it returned.
    static func fault(of session: any CapturingSession, _ receiver: any PunchReceiver) async -> DeviceFault? {
        do throws(DeviceFault) {
            try await session.capture(into: receiver)
            return nil
        } catch {
            return error
        }
    }

    func checkCancellation() async throws(Verdict) -> String {
        let waits = try await countWaits()
        for operation in 0..<min(waits, Self.maximumCancellationCount) { try await cancelOpenAndPoll(at: operation) }
        let capture = try await cancelCapture() ? ", and while capturing" : ""
        return "cancelled at each of \(min(waits, Self.maximumCancellationCount)) waits of open and poll\(capture)"
    }

    private func countWaits() async throws(Verdict) -> Int {
        let rig = try await makeRig()
        let session = try await rig.open()
        if let polling = session as? any PollingSession {
            _ = try await rig.value(of: "poll") { () async throws(DeviceFault) in
                try await polling.poll(PollRequest(cursor: nil, limit: 50))
            }
        }
        let count = rig.instruments.operationCount
        try await rig.close(session)
        return count
    }

    private func cancelOpenAndPoll(at operation: Int) async throws(Verdict) {
        let rig = try await makeRig()
        let driver = rig.driver
        let gate = RecordingReceiver()
        let work = Task { () -> DeviceFault? in
            await gate.waitForSubscription()  // Until the interruption is armed.
            do throws(DeviceFault) {
                let session = try await driver.open()
                var fault: DeviceFault?
                if let polling = session as? any PollingSession {
                    do throws(DeviceFault) {
                        _ = try await polling.poll(PollRequest(cursor: nil, limit: 50))
                    } catch {
                        fault = error
                    }
                }
                await session.close()
                return fault
            } catch {
                return error
            }
        }
        rig.instruments.interrupt(at: operation) { work.cancel() }
        await gate.subscribed()
        let what = "open and poll, cancelled at wait \(operation)"
        let fault = try await patience.wait(for: what) { await work.value }
        if let fault, fault.kind != .cancelled { throw .failed("\(what), threw: \(fault)") }
        let left = rig.instruments.openLinkCount
        try require(left == 0, "\(what), left \(left) links open")
    }

    private func cancelCapture() async throws(Verdict) -> Bool {
        let rig = try await makeRig()
        let session = try await rig.open()
        guard let capturing = session as? any CapturingSession else {
            try await rig.close(session)
            return false
        }
        let receiver = RecordingReceiver()
        let capture = Task { await Self.fault(of: capturing, receiver) }
        try await patience.wait(for: "the subscription of a capture") { await receiver.waitForSubscription() }
        capture.cancel()
        let fault = try await patience.wait(for: "a cancelled capture") { await capture.value }
        if let fault, fault.kind != .cancelled { throw .failed("a cancelled capture threw: \(fault)") }
        try await rig.close(session)
        return true
    }
}
