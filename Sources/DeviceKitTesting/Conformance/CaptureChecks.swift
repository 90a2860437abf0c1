internal import DeviceKit

// Receiving punches as they happen, and the abilities besides.
extension DriverConformance {
    func checkCapturing() async throws(Verdict) -> String {
        let capture = try await startCapture()
        for number in 1...3 {
            await capture.punch()
            let receiver = capture.receiver
            try await patience.wait(for: "captured punch \(number)") { await receiver.waitForDurable(records: number) }
        }
        try await stop(capture)
        let captured = capture.receiver.durableRecords.map(Fingerprint.init)
        let truth = Set(await capture.rig.bench.log().map(Fingerprint.init))
        if let invented = captured.first(where: { !truth.contains($0) }) {
            throw .failed("the captured punch \(invented) is not in the device's log")
        }
        try require(Set(captured).count == captured.count, "a punch was captured twice: \(captured)")
        return "\(captured.count) punches, all in the device's log"
    }

    func checkAcknowledging() async throws(Verdict) -> String {
        let capture = try await startCapture()
        guard let acknowledged = capture.rig.bench.acknowledgedCount else {
            try await stop(capture)
            throw .notApplicable("the bench does not show acknowledgements")
        }
        let before = await acknowledged()
        let receiver = capture.receiver
        receiver.hold()
        await capture.punch()
        try await patience.wait(for: "a captured punch") { await receiver.waitForArrival(ofRecords: 1) }
        await letOthersRun()
        let during = await acknowledged()
        receiver.release()
        try await patience.wait(for: "the end of receive") { await receiver.waitForDurable(records: 1) }
        try require(during == before, "the device was acknowledged before receive returned")
        try await patience.wait(for: "the acknowledgement after receive returned") {
            while await acknowledged() == before, !Task.isCancelled { await Task.yield() }
        }
        try await stop(capture)
        return "acknowledged after receive returned, not before"
    }

    func checkCapabilities() async throws(Verdict) -> String {
        let rig = try await makeRig()
        let before = await rig.bench.log()
        let session = try await rig.open()
        var used: [String] = []
        if let session = session as? any KeepAlive {
            try await rig.value(of: "keepAlive") { () async throws(DeviceFault) in try await session.keepAlive() }
            used.append("keep-alive")
        }
        if let session = session as? any DeviceClock {
            let time = try await rig.value(of: "readClock") { () async throws(DeviceFault) in
                try await session.readClock()
            }
            used.append("clock \(time)")
        }
        if let session = session as? any PeopleReading {
            let people = try await rig.value(of: "readPeople") { () async throws(DeviceFault) in
                try await session.readPeople()
            }
            try require(people.allSatisfy { !$0.code.isEmpty }, "a person has no code")
            try require(Set(people.map(\.code)).count == people.count, "two people share a code")
            used.append("\(people.count) people")
        }
        if let session = session as? any LogInventoryReading {
            let inventory = try await rig.value(of: "readInventory") { () async throws(DeviceFault) in
                try await session.readInventory()
            }
            let count = inventory.recordCount ?? before.count
            try require(count == before.count, "the inventory says \(count) records, the log has \(before.count)")
            used.append("inventory")
        }
        try await rig.close(session)
        let after = await rig.bench.log()
        try require(after == before, "reading changed the device's log")
        if used.isEmpty { throw .notApplicable("the driver has no optional capabilities") }
        return used.joined(separator: ", ")
    }

    // MARK: A capture that runs

    struct Capture {
        let rig: Rig<Driver>
        let session: any CapturingSession
        let receiver: RecordingReceiver
        let task: Task<DeviceFault?, Never>
        let punch: @Sendable () async -> Void
    }

    private func startCapture() async throws(Verdict) -> Capture {
        guard Driver.manifest.intakes.contains(.capturing) else { throw .notApplicable("the driver does not capture") }
        let rig = try await makeRig()
        guard let punch = rig.bench.punch else { throw .failed("the bench cannot make punches for a capture") }
        guard let session = try await rig.open() as? any CapturingSession else {
            throw .failed("the manifest promises capturing, the session lacks it")
        }
        let receiver = RecordingReceiver()
        let task = Task { await Self.fault(of: session, receiver) }
        try await patience.wait(for: "the subscription of a capture") { await receiver.waitForSubscription() }
        return Capture(rig: rig, session: session, receiver: receiver, task: task, punch: punch)
    }

    private func stop(_ capture: Capture) async throws(Verdict) {
        capture.task.cancel()
        _ = try await patience.wait(for: "a cancelled capture") { await capture.task.value }
        try await capture.rig.close(capture.session)
    }
}
