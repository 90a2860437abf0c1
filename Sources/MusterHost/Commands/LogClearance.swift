internal import DeviceKit
internal import Journal

/// Clears a device's log, and loses nothing: only what is on stable storage is cleared.
///
/// Read to the end; let nobody punch any more, for a limited time; read the rest; store that the log is about to be
/// cleared; let the driver compare the device's count with what was read; clear; let people punch again, on every path;
/// and read once more, which begins the new epoch.
struct LogClearance: Sendable {
    let device: HostConfiguration.Device
    let services: HostServices
    /// Hears of counts and resets that the polls meet.
    var found: (@Sendable (LogInventory?, SourceReset?) -> Void)?

    /// How long the device may stay closed to people at most, should we die meanwhile.
    static let holdLimit = Duration.seconds(120)

    /// - Throws: ``DeviceFault/Code/rejected`` when something in the log is not in the journal, and nothing is cleared.
    func run(_ session: any LogClearing) async throws(DeviceFault) -> ClearedLog {
        var cleared = ClearedLog(records: 0, new: 0)
        try session.checkClearingIsAllowed()
        // Without disturbing anybody: this may take long.
        cleared.new += try await poll(session).journaled
        try await checkFloor()
        try await session.holdRecording(for: Self.holdLimit)
        do throws(DeviceFault) {
            cleared.new += try await poll(session).journaled
            cleared.records = try await clear(session)
        } catch {
            await session.releaseRecording()
            throw error
        }
        await session.releaseRecording()
        // The log is cleared, whatever becomes of this poll: the next one does its work then.
        if let after = try? await poll(session) { cleared.new += after.journaled }
        return cleared
    }

    private func poll(_ session: any LogClearing) async throws(DeviceFault) -> PollSummary {
        var poll = services.logPoll(for: device)
        poll.found = found
        return try await poll.run(session)
    }

    private func checkFloor() async throws(DeviceFault) {
        guard let stored = try await services.writer.cursor(for: device.id), let floor = stored.floor else { return }
        throw DeviceFault(
            .rejected,
            "records from before \(floor) are not in the journal, because the schedule's window left them out: set window: all first"
        )
    }

    /// - Returns: how many records the device held, when the driver knows.
    private func clear(_ session: any LogClearing) async throws(DeviceFault) -> Int {
        guard let stored = try await services.writer.cursor(for: device.id) else {
            throw DeviceFault(.rejected, "the journal knows no place in the device's log")
        }
        let count = try await (session as? any LogInventoryReading)?.readInventory().recordCount ?? 0
        let announced = try session.cursorForClearing(stored.cursor)
        let entry = JournalEntry(
            device: device.id, punches: [], cursor: .set(announced, floor: nil, logTime: nil),
            receivedAt: services.time.now())
        _ = try await services.writer.commit(entry).get()
        try await session.clearLog(coveredBy: announced)
        return count
    }
}
