/// A stored biometric template: opaque, and it never shows itself in a log, a message or a dump.
public struct Template: Sendable, Hashable {
    /// Whether the device takes it for a match.
    public enum Validity: String, Sendable, Hashable, Codable {
        case invalid, valid
        /// A match raises the alarm silently.
        case duress
    }

    /// The person whose it is.
    public var code: String
    /// 0...9, from the little finger of the left hand to that of the right one on most devices.
    public var finger: Int
    public var validity: Validity
    /// The version of the algorithm that made it; `nil` where the device does not say.
    public var algorithm: String?
    private let bytes: [UInt8]

    public init(code: String, finger: Int, validity: Validity = .valid, algorithm: String? = nil, bytes: [UInt8]) {
        self.code = code
        self.finger = finger
        self.validity = validity
        self.algorithm = algorithm
        self.bytes = bytes
    }

    public var byteCount: Int { bytes.count }

    /// The bytes themselves. Call it only where they leave for a device or for the file that the operator named.
    public func reveal() -> [UInt8] { bytes }
}

extension Template: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<redacted template>" }
    public var debugDescription: String { "<redacted template>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A device whose fingerprint templates can be read, written and removed. Off unless the device's settings allow it.
public protocol TemplateStore: DeviceSession {
    /// - Parameter code: whose; `nil` for everybody's.
    /// - Throws: ``DeviceFault/Code/notAllowed`` unless the settings allow it; ``DeviceFault/Code/notFound`` when nobody
    ///   has this code.
    func readTemplates(of code: String?) async throws(DeviceFault) -> [Template]

    /// Writes templates of people who are enrolled; one of the same finger is replaced.
    /// - Throws: ``DeviceFault/Code/notAllowed``; ``DeviceFault/Code/notFound`` when somebody is not enrolled;
    ///   ``DeviceFault/Code/invalidRequest`` for templates of another algorithm. Nothing is written then.
    func saveTemplates(_ templates: [Template]) async throws(DeviceFault)

    /// Removes templates of a person.
    /// - Parameter finger: 0...9; `nil` for all of them.
    /// - Returns: how many were removed.
    func deleteTemplates(of code: String, finger: Int?) async throws(DeviceFault) -> Int
}
