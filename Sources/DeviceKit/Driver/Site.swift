/// Whether a door stands open.
public enum DoorState: String, Sendable, Hashable, Codable {
    case open, closed
    /// The device has no contact, or does not say.
    case unknown
}

/// A device that holds a door.
public protocol DoorControl: DeviceSession {
    func readDoor() async throws(DeviceFault) -> DoorState

    /// Releases the lock for a time.
    /// - Parameter duration: whole seconds.
    /// - Returns: what was sent, in a sentence for the operator: devices differ in the unit.
    /// - Throws: ``DeviceFault/Code/invalidRequest`` for a time that the device cannot express.
    func unlockDoor(for duration: Duration) async throws(DeviceFault) -> String
}

/// A device that speaks.
public protocol VoicePlayback: DeviceSession {
    /// - Parameter number: of the device's own list.
    func playVoice(_ number: Int) async throws(DeviceFault)
}

/// A device whose display shows texts of others.
public protocol MessageDisplay: DeviceSession {
    /// - Parameter line: from 0.
    /// - Throws: ``DeviceFault/Code/invalidRequest`` for a text that does not fit.
    func showMessage(_ text: String, line: Int) async throws(DeviceFault)
    func clearMessage() async throws(DeviceFault)
}

/// A device that can be switched.
public protocol PowerControl: DeviceSession {
    /// Starts the device anew. The session ends with it.
    func restart() async throws(DeviceFault)
    /// Switches the device off: somebody has to switch it on again by hand.
    func powerOff() async throws(DeviceFault)
}
