/// Why work with a device failed, and with it what happens next. Only the supervisor acts on ``kind``.
public struct DeviceFault: Error, Sendable, Hashable {
    /// What the supervisor does next.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Close, wait with growing delays, try again.
        case transient
        /// The device refused us: try rarely, ask the operator.
        case authentication
        /// Nothing will change until the settings do.
        case permanent
        /// The peer broke the protocol: drop the link, keep the evidence, then as ``transient``.
        case protocolViolation
        /// What was asked cannot be done; device and link are well.
        case request
        /// The host cancelled the work. Not a failure.
        case cancelled
    }

    /// A stable name for logs, metrics and documentation.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        case unreachable, refused
        case connectionLost = "connection-lost"
        case timedOut = "timed-out"
        case busy
        case unauthorised
        /// Another device than the accepted one answers.
        case deviceReplaced = "device-replaced"
        case badSettings = "bad-settings"
        case unsupported
        case secureCommunication = "secure-communication"
        case malformed
        case wrongChecksum = "wrong-checksum"
        case unexpectedReply = "unexpected-reply"
        case oversize, incomplete
        /// The settings do not allow it.
        case notAllowed = "not-allowed"
        /// There is no such person, option or finger on the device.
        case notFound = "not-found"
        /// The device has no room for what was asked, or no words for it. Nothing was sent.
        case invalidRequest = "invalid-request"
        /// The device declines.
        case rejected
        case cancelled

        public var kind: Kind {
            switch self {
            case .unreachable, .refused, .connectionLost, .timedOut, .busy: .transient
            case .unauthorised, .deviceReplaced: .authentication
            case .badSettings, .unsupported, .secureCommunication, .notAllowed: .permanent
            case .malformed, .wrongChecksum, .unexpectedReply, .oversize, .incomplete: .protocolViolation
            case .notFound, .invalidRequest, .rejected: .request
            case .cancelled: .cancelled
            }
        }
    }

    public let code: Code
    /// One sentence for an operator: what happened, and the remedy where there is one. Never a secret.
    public let message: String
    /// At most 256 bytes of what the peer sent, for a ``Kind/protocolViolation``. Credentials are never in it.
    public let evidence: [UInt8]

    public var kind: Kind { code.kind }

    public init(_ code: Code, _ message: String, evidence: some Collection<UInt8> = []) {
        self.code = code
        self.message = message
        self.evidence = Array(evidence.prefix(256))
    }

    public static let cancelled = DeviceFault(.cancelled, "the host cancelled the work")
}

extension DeviceFault: CustomStringConvertible {
    public var description: String { "\(message) [\(code.rawValue)]" }
}
