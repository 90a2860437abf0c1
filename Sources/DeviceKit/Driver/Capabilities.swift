/// A cheap question that proves the link. Safe while a capture runs.
public protocol KeepAlive: DeviceSession {
    /// - Throws: ``DeviceFault/Code/timedOut`` or what ended the link, when the device is not there.
    func keepAlive() async throws(DeviceFault)
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

/// What a driver's sessions can do, as its manifest promises and `muster drivers` shows.
public enum Capability: String, Sendable, Hashable, CaseIterable {
    case clock
    case logInventory = "log-inventory"
    case people
    case keepAlive = "keep-alive"
}

/// How punches come in.
public enum IntakeMode: String, Sendable, Hashable, CaseIterable {
    case polling, capturing
}
