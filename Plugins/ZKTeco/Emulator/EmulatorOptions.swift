public import DeviceKit

/// How a terminal stores and sends its log.
public enum EmulatedRecordForm: String, Sendable, Hashable, CaseIterable {
    /// uid, verification, time, state: the order that pyzk reads.
    case bytes8 = "8"
    /// uid, verification, state, time: as MA300 and ZEM500 terminals send it.
    case bytes8B = "8b"
    case bytes16 = "16"
    case bytes40 = "40"
    /// Visible-light face terminals.
    case bytes49 = "49"
    /// WL10 and AK3750 terminals.
    case bytes22 = "22"
}

/// How a terminal stores its users.
public enum EmulatedUserForm: Int, Sendable, Hashable, CaseIterable {
    /// Black-and-white terminals: numeric user ids, names of 8 bytes.
    case bytes28 = 28
    /// Colour terminals.
    case bytes72 = 72
}

/// What a terminal listens on; both have one port number.
public enum EmulatedTransports: String, Sendable, Hashable, CaseIterable {
    case both, tcp, udp
}

/// What a terminal tells of its counts.
public enum EmulatedCounters: String, Sendable, Hashable, CaseIterable {
    /// 92 bytes.
    case full
    /// 80 bytes, as older terminals do.
    case short
    /// A single zero, as WL20 terminals do.
    case zero
}

/// What a terminal does when a client asks for bytes from the middle of a set.
public enum EmulatedChunkStart: String, Sendable, Hashable, CaseIterable {
    case honoured, refused
    /// It sends what follows the last chunk instead.
    case ignored
}

/// What becomes of an enrolment at the sensor.
public enum EmulatedEnrolment: String, Sendable, Hashable, CaseIterable {
    case stored, duplicate
    case timedOut = "timed-out"
    /// Nobody comes, and the terminal waits on.
    case waiting
    /// STARTENROLL is answered with an error.
    case refused
}

/// What kind of terminal, what it holds, and how it behaves on the wire.
public struct EmulatorOptions: Sendable {
    /// Address to listen on.
    public var host = "127.0.0.1"
    /// 1...65535; 0 lets the system choose, and ``EmulatorServer/port`` tells.
    public var port = 4370
    public var transports = EmulatedTransports.both
    /// A client that is silent for so long over UDP is forgotten.
    public var datagramSessionLifetime = Duration.seconds(600)
    /// What the network does to datagrams, in both directions.
    public var datagramFaults = DatagramFaults.Rates()
    /// The comm key; 0 means none.
    public var commKey: UInt32 = 0
    public var serialNumber = "ZKT0000000001"
    public var deviceName = "Emulated terminal"
    public var platform = "ZMM220_TFT"
    public var firmware = "Ver 6.60 Apr 28 2015"
    public var mac = "00:17:61:00:00:01"

    public var recordForm = EmulatedRecordForm.bytes40
    /// `nil`: 28 bytes beside records of 8 and 16 bytes, else 72.
    public var userForm: EmulatedUserForm?
    /// Payload of a live event: 12, 32, 36, 37, 52, or 10 and 14. `nil`: 12 beside users of 28 bytes, else 32.
    public var eventByteCount: Int?

    /// An event that is not acknowledged is sent again after so long, and no other before; `nil` sends it once. What real
    /// terminals do is not known.
    public var eventRepeatInterval: Duration?
    public var counters = EmulatedCounters.full
    /// Answers PREPARE_BUFFER with this code: black-and-white terminals know the direct read only (2001), and terminals in
    /// access-control mode give 4989.
    public var preparationRefusal: UInt16?

    /// Seeded people, 0...60,000.
    public var people = 20
    /// Seeded records that the terminal holds at its start.
    public var records = 1_000
    /// The most records that the terminal holds; a punch beyond is refused. `nil`: 100,000 more than it starts with.
    public var capacity: Int?
    /// A full log gives up its oldest record for a new one; otherwise a punch beyond is refused.
    public var overwrites = false
    /// Seconds that the clock gains in an hour.
    public var clockDrift: Int64 = 0
    /// What goes wrong, and when.
    public var script: FaultScript?
    /// Decides people, history and who punches.
    public var seed: UInt64 = 1
    /// New punches by themselves; `nil` or 0 for none.
    public var rate: Rate?
    /// The zone of the terminal's wall clock.
    public var timezone = DeviceTimeZone.utc
    /// How far the terminal's clock is ahead of the real time, in seconds.
    public var clockOffset: Int64 = 0

    /// A JSON line for each record, written before the record is sent. An existing file is the terminal's log: it starts
    /// with exactly those records, and `records` is ignored.
    public var truthPath: String?

    /// Pause after PREPARE_DATA and DATA of a chunk. Some public clients take one read for one frame; 0 is for those
    /// that reassemble.
    public var pacing = Duration.milliseconds(5)
    /// The most payload of one DATA frame; `nil` sends a chunk as one. Older boards use 1,008.
    public var dataByteCount: Int?
    /// DATA frames carry their place in the chunk, from 0, in the session field, as on older boards.
    public var numbersData = false
    /// What becomes of a chunk that does not follow the one before.
    public var chunkStart = EmulatedChunkStart.honoured
    /// Cuts everything that is sent into pieces of this many bytes.
    public var splitByteCount: Int?
    /// Sends all frames that are ready in one write.
    public var coalesces = false
    /// What becomes of a finger that a client lets enrol.
    public var enrolment = EmulatedEnrolment.stored
    /// DOORSTATE_RRQ is answered with the byte that documents describe: 1 while the lock is released. It puts pyzk out of
    /// step.
    public var tellsDoorState = false
    /// A second client is shut out while one holds a session.
    public var allowsOneConnection = false
    /// Sees everything that happens, in order, before its effects leave the terminal. Must return quickly.
    public var observer: (@Sendable (EmulatorObservation) -> Void)?

    public init() {}

    var resolvedUserForm: EmulatedUserForm {
        if let userForm { return userForm }
        switch recordForm {
        case .bytes8, .bytes8B, .bytes16: return .bytes28
        case .bytes40, .bytes49, .bytes22: return .bytes72
        }
    }

    var resolvedEventByteCount: Int { eventByteCount ?? (resolvedUserForm == .bytes28 ? 12 : 32) }
    static let eventByteCounts: Set<Int> = [10, 12, 14, 32, 36, 37, 52]
}

/// One thing that happened at an emulated terminal.
public enum EmulatorObservation: Sendable, Hashable {
    case connected(Int)
    case disconnected(Int)
    /// A request with this command number arrived.
    case request(connection: Int, command: UInt16)
    case recorded(EmulatedRecord)
    case logCleared
    case eventSent(connection: Int)
    /// The `number`-th acknowledgement of a live event on this connection, counted from 1.
    case eventAcknowledged(connection: Int, number: Int)
    case clockSet(LocalDateTime)
    case recordsOverwritten(Int)
    case faultBegan(EmulatorFault)
    case faultEnded(EmulatorFault)
    /// After a restart.
    case switchedOn
    /// It was on its way in when the terminal began to refuse, and is closed at once.
    case connectionRefused(Int)
    case frameDamaged(connection: Int)
    /// UNLOCK with this number: seconds or tenths of them, clients differ.
    case unlocked(UInt32)
    case spoke(Int)
    case enrolled(code: String, finger: Int)
    case restarted
    case poweredOff
}
