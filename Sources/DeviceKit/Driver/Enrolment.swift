/// Who shall put which finger on the device's sensor.
public struct EnrolmentRequest: Sendable, Hashable, Codable {
    /// Somebody who is in the device's table.
    public var code: String
    /// 0...9.
    public var finger: Int
    /// A match with this finger shall raise the alarm silently.
    public var isDuress: Bool

    public init(code: String, finger: Int, isDuress: Bool = false) {
        self.code = code
        self.finger = finger
        self.isDuress = isDuress
    }
}

/// What happens at the sensor meanwhile.
public enum EnrolmentEvent: Sendable, Hashable, Codable {
    /// The device waits for the finger.
    case waiting
    case placed
    /// A sample was judged.
    case sample(isGood: Bool)
}

/// A device that can be told to enrol a finger.
public protocol FingerEnrolment: DeviceSession {
    /// Lets the device ask for the finger and returns when it has stored the template. Cancelling the task lets the
    /// device give up.
    /// - Returns: bytes of the stored template; `nil` where the device does not say.
    /// - Throws: ``DeviceFault/Code/rejected`` when the device gave up, or knows the finger already.
    func enrol(
        _ request: EnrolmentRequest, progress: @escaping @Sendable (EnrolmentEvent) async -> Void
    ) async throws(DeviceFault) -> Int?
}
