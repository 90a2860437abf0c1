/// What was done at the device itself: menus, enrolments, settings, alarms.
public struct OperationEntry: Sendable, Hashable, Codable {
    /// The device's own number for what was done.
    public var number: Int
    /// In words, for example `set the clock`; `nil` for a number that is not known.
    public var name: String?
    public var localTime: LocalDateTime
    /// Who did it, as a number of the device; 0 for nobody.
    public var administrator: Int
    public var parameters: [Int]
    /// The entry as the device sent it.
    public var raw: [UInt8]

    public init(
        number: Int, name: String? = nil, localTime: LocalDateTime, administrator: Int = 0, parameters: [Int] = [],
        raw: [UInt8] = []
    ) {
        self.number = number
        self.name = name
        self.localTime = localTime
        self.administrator = administrator
        self.parameters = parameters
        self.raw = raw
    }
}

/// The operation log, in the device's order, the oldest entry first.
public struct OperationLog: Sendable, Hashable {
    public var entries: [OperationEntry]
    /// Entries that did not decode.
    public var rejected: [RejectedRecord]

    public init(entries: [OperationEntry], rejected: [RejectedRecord] = []) {
        self.entries = entries
        self.rejected = rejected
    }
}

extension OperationLog {
    /// What must still be so when the log is cleared, so that nothing goes that was not read.
    public struct Mark: Sendable, Hashable, Codable {
        /// Entries, those that did not decode among them.
        public var count: Int
        /// The newest entry as the device sent it; empty without one.
        public var newest: [UInt8]

        public init(count: Int, newest: [UInt8]) {
            self.count = count
            self.newest = newest
        }
    }

    public var mark: Mark { Mark(count: entries.count + rejected.count, newest: entries.last?.raw ?? []) }
}

/// A device that keeps a log of what was done to it.
public protocol OperationLogReading: DeviceSession {
    func readOperations() async throws(DeviceFault) -> OperationLog
}

/// A device whose operation log can be cleared, once somebody keeps what stood in it. Off unless the device's settings allow
/// it.
public protocol OperationLogClearing: OperationLogReading {
    /// Clears the operation log, if it is still what was read: it is read again just before.
    /// - Throws: ``DeviceFault/Code/notAllowed`` unless the settings allow clearing, ``DeviceFault/Code/rejected`` when the
    ///   log is not the one that `mark` is of; nothing is cleared then.
    func clearOperations(_ mark: OperationLog.Mark) async throws(DeviceFault)
}
