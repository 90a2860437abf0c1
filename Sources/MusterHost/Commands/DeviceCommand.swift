public import DeviceKit

/// One thing that an operator asks of a device. Each is one capability; a driver without it answers that it cannot.
public enum DeviceCommand: Sendable, Hashable {
    /// Who it is, what it holds, what its clock shows.
    case information
    /// Single options under the device's own names.
    case options([String])
    case readClock
    /// `nil` sets it by the host's clock, in the device's zone.
    case setClock(LocalDateTime?)
    case people
    case putPerson(PersonChange)
    case deletePerson(String)
    /// `nil` for everybody's.
    case readTemplates(String?)
    case saveTemplates([Template])
    case deleteTemplates(code: String, finger: Int?)
    case enrol(EnrolmentRequest)
    case readDoor
    case unlockDoor(Duration)
    case playVoice(Int)
    case showMessage(String, line: Int)
    case clearMessage
    case restart
    case powerOff
    case operations
    /// Clears the operation log that was read.
    case clearOperations(OperationLog.Mark)
    /// Guarded: see ``LogClearance``.
    case clearLog

    /// What the device may take for it, the session being open.
    var limit: Duration {
        switch self {
        case .clearLog: .seconds(3_600)
        case .people, .operations, .clearOperations, .readTemplates, .saveTemplates, .deleteTemplates, .putPerson,
            .deletePerson:
            .seconds(600)
        case .enrol: .seconds(180)
        default: .seconds(60)
        }
    }

    /// The link ends with it when it succeeds.
    var endsSession: Bool { self == .restart || self == .powerOff }

    /// It reads the log into the journal.
    var needsJournal: Bool { self == .clearLog }
}

/// What came of a ``DeviceCommand``.
public enum DeviceAnswer: Sendable, Hashable {
    /// With a note for the operator, where there is something to say.
    case done(String?)
    case information(DeviceInformation)
    /// Those that the device knows.
    case options([DeviceDetails.Option])
    case clock(ClockReading)
    case people([Person])
    case person(PersonOutcome)
    case templates([Template])
    /// So many were removed.
    case removed(Int)
    case door(DoorState)
    case operations(OperationLog)
    case cleared(ClearedLog)
}

/// What a device is and holds.
public struct DeviceInformation: Sendable, Hashable, Codable {
    public var details: DeviceDetails
    public var counts: DeviceCounts?
    public var clock: ClockReading?
}

/// A device's wall clock beside the host's.
public struct ClockReading: Sendable, Hashable, Codable {
    public var shown: LocalDateTime
    /// Seconds that the device is ahead of the host, in the device's zone; negative when it is behind.
    public var drift: Int64
}

/// A log that was cleared.
public struct ClearedLog: Sendable, Hashable, Codable {
    /// Records that the device held, all of them in the journal.
    public var records: Int
    /// Punches among them that the journal did not have before.
    public var new: Int
}
