public import DeviceKit

/// What can be set for a ZKTeco terminal.
public struct ZKTecoSettings: DriverSettings {
    static let address = Setting.host("address", "Host name or address of the terminal.")
    static let port = Setting.port("port", default: 4370, "Port of the terminal.", example: "4370")
    static let transport = Setting<TransportChoice>.choice(
        "transport", default: .auto,
        "tcp, udp, or auto: TCP first, then UDP, which is all that some old terminals speak.", example: "auto")
    static let password = Setting.secret(
        "password", default: Secret("0"),
        "The comm key of the terminal's menu (Comm. → Connection), a number; 0 where none is set.",
        example: "${FRONT_DOOR_KEY}")
    static let timeout = Setting.duration(
        "timeout", default: .seconds(10), in: .seconds(1) ... .seconds(120),
        "How long to wait for an answer; preparing a large log may take six times as long.", example: "10s")
    static let encoding = Setting<NameEncoding>.choice(
        "encoding", default: .auto,
        "Code page of people's names; auto reads UTF-8 and takes what is none for GBK.", example: "auto")
    static let records = Setting<RecordChoice>.choice(
        "records", default: .auto,
        "Layout of the log's records in bytes; auto finds it out and is right for all terminals that are known.",
        example: "auto")

    static let logRead = Setting<LogReadChoice>.choice(
        "log_read", default: .auto,
        "full reads the whole log at each poll; tail only what is new and a few records before it; auto does that, and reads the whole log every log_audit.",
        example: "auto")
    static let logAudit = Setting.duration(
        "log_audit", default: .seconds(86_400), in: .seconds(60) ... .seconds(31 * 86_400),
        "How often log_read: auto compares the whole log with what was read before.", example: "24h")

    static let credentials = Setting.bool(
        "credentials", default: false,
        "Lets muster device templates read, write and remove fingerprint templates of this terminal.")
    static let clearLog = Setting.bool(
        "clear_log", default: false,
        "Lets muster device clear-log clear this terminal's log, once the journal has all of it, and clear-oplog its operation log, once a file has it."
    )
    static let unlockUnit = Setting<UnlockUnit>.choice(
        "unlock_unit", default: .tenths,
        "What the number of an unlock command means to this terminal: tenths of a second, as pyzk sends, or seconds; documents differ.",
        example: "tenths")

    public static let schema = SettingsSchema(
        address, port, transport, password, timeout, encoding, records, logRead, logAudit, credentials, clearLog,
        unlockUnit)

    let host: String
    let portNumber: UInt16
    let transportChoice: TransportChoice
    let commKey: UInt32
    let replyTimeout: Duration
    let nameEncoding: NameEncoding
    let recordLayout: RecordChoice
    let logReadChoice: LogReadChoice
    let auditInterval: Duration
    let allowsCredentials: Bool
    let allowsClearing: Bool
    let unlockUnit: UnlockUnit

    func endpoint(_ kind: Endpoint.Kind) -> Endpoint { Endpoint(kind, host: host, port: portNumber) }

    /// Preparing a large log is slow on old boards.
    var preparationTimeout: Duration { replyTimeout * 6 }

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        host = try values.value(Self.address)
        portNumber = try values.value(Self.port)
        transportChoice = try values.value(Self.transport)
        replyTimeout = try values.value(Self.timeout)
        nameEncoding = try values.value(Self.encoding)
        recordLayout = try values.value(Self.records)
        logReadChoice = try values.value(Self.logRead)
        auditInterval = try values.value(Self.logAudit)
        allowsCredentials = try values.value(Self.credentials)
        allowsClearing = try values.value(Self.clearLog)
        unlockUnit = try values.value(Self.unlockUnit)
        guard let key = UInt32(try values.value(Self.password).reveal()) else {
            throw values.error(
                "password", "a comm key is a number from 0 to 4294967295", code: "wrong-form",
                hint: "terminals take 1 to 6 digits; a key with letters belongs to another protocol")
        }
        commKey = key
    }
}

/// What carries the packets.
public enum TransportChoice: String, Sendable, Hashable, CaseIterable {
    case auto, tcp, udp
}

/// The unit of an unlock command.
public enum UnlockUnit: String, Sendable, Hashable, CaseIterable {
    case tenths, seconds
}

/// The layout of the log's records, as the settings name it.
public enum RecordChoice: String, Sendable, Hashable, CaseIterable {
    case auto
    case bytes8 = "8"
    case bytes8B = "8b"
    case bytes16 = "16"
    case bytes40 = "40"
    case bytes49 = "49"
    case bytes22 = "22"
}

/// How much of the log a poll reads.
public enum LogReadChoice: String, Sendable, Hashable, CaseIterable {
    case auto, full, tail
}
