internal import DeviceKit
public import Journal

/// What an operator decides about a device.
public enum DeviceDecision: String, Sendable, Hashable, CaseIterable {
    /// What is there now is right: another device at the address, a gap in the log, what is shown for notice.
    case accept
    /// Try the device now, whatever it waits for, and take capture up again.
    case resume
}

extension DeviceDecision {
    /// Writes the decision into the journal of a data directory on which no host runs; it holds from the next start.
    /// - Returns: whether there was anything to decide.
    /// - Throws: ``JournalError`` when another process owns the data directory.
    public func write(_ device: HostConfiguration.Device, to journal: PunchJournal) async throws(JournalError) -> Bool {
        let time = SystemTime()
        var keeper = StatusKeeper(device, now: time.now())
        guard let stored = try await journal.reader.status(for: device.id) else { return false }
        keeper.restore(stored)
        switch self {
        case .accept: guard keeper.accept() else { return false }
        case .resume:
            guard !stored.isRealtimeEnabled else { return false }
            keeper.resume()
        }
        keeper.rest()
        keeper.stamp(time.now())
        try await journal.saveStatus(keeper.status)
        return true
    }
}
