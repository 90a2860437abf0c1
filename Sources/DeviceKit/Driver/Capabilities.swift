/// A cheap question that proves the link. Safe while a capture runs.
public protocol KeepAlive: DeviceSession {
    /// - Throws: ``DeviceFault/Code/timedOut`` or what ended the link, when the device is not there.
    func keepAlive() async throws(DeviceFault)
}

/// Says again who it is, on a session that has been open for a while.
public protocol IdentityReading: DeviceSession {
    /// What the device says of itself now. Safe while a capture runs.
    func readIdentity() async throws(DeviceFault) -> DeviceIdentity
}

/// The device's wall clock.
public protocol DeviceClock: DeviceSession {
    /// - Throws: ``DeviceFault/Code/malformed`` for a reading that is no date.
    func readClock() async throws(DeviceFault) -> LocalDateTime
    /// - Parameter time: what the device's wall clock shall show.
    func setClock(_ time: LocalDateTime) async throws(DeviceFault)
}

/// Counts of the device's log without reading it.
public protocol LogInventoryReading: DeviceSession {
    /// Counts that the device does not tell are `nil`.
    func readInventory() async throws(DeviceFault) -> LogInventory
}

/// Who is enrolled. Reads no credentials.
public protocol PeopleReading: DeviceSession {
    /// Everybody in the device's table, in its order.
    func readPeople() async throws(DeviceFault) -> [Person]
}

/// What a driver's sessions can do, as its manifest promises and `muster drivers` shows. Each is a protocol that the
/// session adopts.
public enum Capability: String, Sendable, Hashable, CaseIterable {
    /// ``DeviceClock``
    case clock
    /// ``LogInventoryReading``
    case logInventory = "log-inventory"
    /// ``PeopleReading``
    case people
    /// ``KeepAlive``
    case keepAlive = "keep-alive"
    /// ``DeviceDetailsReading``
    case details
    /// ``DeviceOptionReading``
    case options
    /// ``DeviceCounting``
    case counts
    /// ``PeopleWriting``
    case peopleWriting = "people-writing"
    /// ``TemplateStore``
    case templates
    /// ``FingerEnrolment``
    case enrolment
    /// ``DoorControl``
    case door
    /// ``VoicePlayback``
    case voice
    /// ``MessageDisplay``
    case display
    /// ``PowerControl``
    case power
    /// ``OperationLogReading``
    case operationLog = "operation-log"
    /// ``OperationLogClearing``
    case operationLogClearing = "operation-log-clearing"
    /// ``LogClearing``
    case logClearing = "log-clearing"

    /// Whether a session has it.
    public func isOffered(by session: any DeviceSession) -> Bool {
        switch self {
        case .clock: session is any DeviceClock
        case .logInventory: session is any LogInventoryReading
        case .people: session is any PeopleReading
        case .keepAlive: session is any KeepAlive
        case .details: session is any DeviceDetailsReading
        case .options: session is any DeviceOptionReading
        case .counts: session is any DeviceCounting
        case .peopleWriting: session is any PeopleWriting
        case .templates: session is any TemplateStore
        case .enrolment: session is any FingerEnrolment
        case .door: session is any DoorControl
        case .voice: session is any VoicePlayback
        case .display: session is any MessageDisplay
        case .power: session is any PowerControl
        case .operationLog: session is any OperationLogReading
        case .operationLogClearing: session is any OperationLogClearing
        case .logClearing: session is any LogClearing
        }
    }
}

/// How punches come in.
public enum IntakeMode: String, Sendable, Hashable, CaseIterable {
    case polling, capturing
}
