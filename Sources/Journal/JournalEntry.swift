public import DeviceKit

/// What one commit stores: punches, records that did not decode, and the cursor after them, all or nothing.
public struct JournalEntry: Sendable {
    public enum CursorChange: Sendable, Hashable {
        case keep
        /// - Parameters:
        ///   - floor: records with an earlier wall time were skipped at the first contact.
        ///   - logTime: the instant of the last record before the cursor; `nil` keeps the one that is stored.
        case set(Cursor, floor: LocalDateTime?, logTime: Instant? = nil)
        case clear
    }

    public var device: DeviceID
    public var punches: [Punch]
    public var rejected: [RejectedRecord]
    public var cursor: CursorChange
    /// The log began anew: the device's epoch is counted up.
    public var beginsEpoch: Bool
    public var receivedAt: Instant

    public init(
        device: DeviceID, punches: [Punch], rejected: [RejectedRecord] = [], cursor: CursorChange = .keep,
        beginsEpoch: Bool = false, receivedAt: Instant
    ) {
        self.device = device
        self.punches = punches
        self.rejected = rejected
        self.cursor = cursor
        self.beginsEpoch = beginsEpoch
        self.receivedAt = receivedAt
    }
}

/// The entry is on stable storage.
public struct CommitReceipt: Sendable, Hashable {
    /// Punches that were not in the journal before.
    public var journaled: Int
    /// Punches whose identity the journal had already.
    public var duplicates: Int
    public var rejected: Int
    /// The position of the newest punch in the journal after the commit, of any device.
    public var position: Int64

    public init(journaled: Int, duplicates: Int, rejected: Int, position: Int64) {
        self.journaled = journaled
        self.duplicates = duplicates
        self.rejected = rejected
        self.position = position
    }
}

/// How far a device's log has been read.
public struct StoredCursor: Sendable, Hashable {
    public var cursor: Cursor
    /// Records with an earlier wall time were skipped at the first contact, because the schedule's window says so.
    public var floor: LocalDateTime?
    /// The instant of the last record that was read; what follows it in the log happened later.
    public var logTime: Instant?
    /// 1 for the first log that the device had, one more for each reset.
    public var epoch: Int

    public init(cursor: Cursor, floor: LocalDateTime? = nil, logTime: Instant? = nil, epoch: Int = 1) {
        self.cursor = cursor
        self.floor = floor
        self.logTime = logTime
        self.epoch = epoch
    }
}
