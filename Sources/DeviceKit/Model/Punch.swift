/// One event as a terminal records it: what a driver produces. It has no zone yet; the host resolves it.
public struct PunchRecord: Sendable, Hashable {
    /// The user id on the device, leading zeros included. Not empty.
    public var code: String
    /// The terminal's wall clock at the event.
    public var localTime: LocalDateTime
    public var direction: Direction
    public var verification: Verification
    /// The work code as text; `nil` where the terminal has none.
    public var workCode: String?
    /// Everything that the terminal said, as a JSON object, for debugging.
    public var raw: RawJSON

    public init(
        code: String, localTime: LocalDateTime, direction: Direction, verification: Verification,
        workCode: String? = nil, raw: RawJSON = .empty
    ) {
        self.code = code
        self.localTime = localTime
        self.direction = direction
        self.verification = verification
        self.workCode = workCode
        self.raw = raw
    }
}

/// A record that did not decode. It is kept with its bytes and does not end the read.
public struct RejectedRecord: Sendable, Hashable {
    /// One sentence: what is wrong with it.
    public var reason: String
    /// At most ``maximumByteCount`` bytes of the record.
    public let bytes: [UInt8]

    public static let maximumByteCount = 4_096

    public init(reason: String, bytes: some Collection<UInt8>) {
        self.reason = reason
        self.bytes = Array(bytes.prefix(Self.maximumByteCount))
    }
}

/// One person's event at one device, resolved to an instant: what the journal keeps and the sinks receive.
///
/// Identity: ``device``, ``code`` and ``time``. A second copy is a duplicate.
public struct Punch: Sendable, Hashable {
    /// How the host learned of it.
    public enum Source: String, Sendable, Hashable, CaseIterable {
        case capture, poll, push, `import`
    }

    public var device: DeviceID
    public var time: Instant
    public var record: PunchRecord
    public var source: Source
    public var receivedAt: Instant
    /// False for an implausible time; ``notes`` says why. Such a punch is kept and not delivered.
    public var isValid: Bool
    /// Sentences for an operator, empty when there is nothing to say.
    public var notes: String

    public var code: String { record.code }
    public var localTime: LocalDateTime { record.localTime }

    public init(
        device: DeviceID, time: Instant, record: PunchRecord, source: Source, receivedAt: Instant,
        isValid: Bool = true, notes: String = ""
    ) {
        self.device = device
        self.time = time
        self.record = record
        self.source = source
        self.receivedAt = receivedAt
        self.isValid = isValid
        self.notes = notes
    }
}
