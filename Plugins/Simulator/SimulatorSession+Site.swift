internal import DeviceKit

// What `muster device` asks for: enough to try every verb that needs no sensor.
extension SimulatorSession: DeviceDetailsReading, DeviceCounting, PeopleWriting {
    func readDetails() async throws(DeviceFault) -> DeviceDetails {
        try await link.exchange()
        return DeviceDetails(
            identity: identity, activity: "waiting",
            options: [DeviceDetails.Option(name: "seed", value: String(log.plan.seed))])
    }

    func readCounts() async throws(DeviceFault) -> DeviceCounts {
        let people = try await readPeople()
        var counts = DeviceCounts()
        counts.people = people.count
        counts.administrators = people.count { $0.privilege == .administrator }
        counts.records = try await readInventory().recordCount
        return counts
    }

    func putPerson(_ change: PersonChange) async throws(DeviceFault) -> PersonOutcome {
        try await link.exchange()
        return try site.put(change, log.crew)
    }

    func deletePerson(_ code: String) async throws(DeviceFault) {
        try await link.exchange()
        try site.remove(code, log.crew)
    }
}

extension SimulatorSession: DoorControl, VoicePlayback, MessageDisplay, PowerControl {
    func readDoor() async throws(DeviceFault) -> DoorState {
        try await link.exchange()
        return site.isUnlocked(at: context.time.uptime()) ? .open : .closed
    }

    func unlockDoor(for duration: Duration) async throws(DeviceFault) -> String {
        guard duration > .zero, duration <= .seconds(600) else {
            throw DeviceFault(.invalidRequest, "a door is unlocked for 1 to 600 seconds")
        }
        try await link.exchange()
        site.unlock(until: context.time.uptime() + duration)
        return "the simulated door is open for \(duration)"
    }

    func playVoice(_ number: Int) async throws(DeviceFault) {
        guard (0...255).contains(number) else { throw DeviceFault(.invalidRequest, "voices are 0 to 255") }
        try await link.exchange()
    }

    func showMessage(_ text: String, line: Int) async throws(DeviceFault) {
        try await link.exchange()
        try site.show(text, line: line)
    }

    func clearMessage() async throws(DeviceFault) {
        try await link.exchange()
        site.clearMessages()
    }

    /// The link breaks, and the next session opens as after a power cut.
    func restart() async throws(DeviceFault) {
        try await link.exchange()
        link.close()
    }

    func powerOff() async throws(DeviceFault) { try await restart() }
}
