internal import DeviceKit
internal import ZKTecoWire

/// The two clocks of the machine that the emulator runs on.
struct EmulatorMoment: Sendable, Hashable {
    var wall: Instant
    var uptime: Duration
}

/// What can happen to a terminal.
enum EmulatorInput: Sendable, Hashable {
    case connected(Int, Endpoint.Kind)
    case disconnected(Int)
    case received(Int, Packet)
    /// Events may go on whose client did not acknowledge.
    case timePassed
    case punch(code: String?)
    case burst(Int)
    case drop
    case mute(Bool)
    /// Something goes wrong, for so long or until it is ended.
    case fault(EmulatorFault, Duration?)
    /// Faults of a kind end; all of them for `nil`.
    case endFaults(String?)
    /// Nothing more goes wrong by the script.
    case stopScript
}

/// What it does, in this order. Truth is kept before anything is sent.
enum EmulatorEffect: Sendable, Hashable {
    case keep([EmulatedRecord])
    /// The log was cleared, with so many records in it.
    case forgetLog(Int)
    /// The oldest records of the log are gone, so many.
    case overwrite(Int)
    case setRate(Rate)
    case send(Int, Packet, FrameFlow)
    /// The same with a wrong checksum.
    case sendDamaged(Int, Packet, FrameFlow)
    case close(Int)
    case observe(EmulatorObservation)
}

/// One terminal: what it holds, and what it answers. Pure; ``EmulatorServer`` gives it a port.
struct EmulatorMachine: Sendable {
    let options: EmulatorOptions
    var people: [EmulatedPerson]
    var log: RecordLog
    var settings: [String: String]
    /// Seconds that the terminal's clock is ahead of the zone's time.
    var clockOffset: Int64
    var connections: [Int: EmulatorConnection] = [:]
    var faults: FaultState
    /// The uptime up to which the drift of the clock stands in its offset.
    var driftSince: Duration
    var templates = TemplateShelf()
    var operations = OperationShelf()
    var access = AccessObjects()
    var site = EmulatedSite()
    private var isMuted = false
    private var nextSession: UInt16
    private var nextPerson = 0
    /// How many records have gone because the log was full.
    private var overwritten = 0
    var recordCapacity: Int

    let layout: RecordLayout
    let userLayout: UserLayout

    /// Makes a terminal with its people and its past, or with the log of a truth file.
    /// - Returns: also the records that it begins with.
    static func make(
        _ options: EmulatorOptions, restoring restored: [EmulatedRecord]?, at moment: EmulatorMoment
    ) throws(EmulatorError) -> (machine: EmulatorMachine, records: [EmulatedRecord]) {
        guard EmulatorOptions.eventByteCounts.contains(options.resolvedEventByteCount) else {
            throw EmulatorError("an event has 10, 12, 14, 32, 36, 37 or 52 bytes")
        }
        guard (0...EmulatedPerson.maximumCount).contains(options.people), options.records >= 0 else {
            throw EmulatorError("people are 0 to \(EmulatedPerson.maximumCount), records are 0 or more")
        }
        let people = EmulatedPerson.crew(count: options.people, seed: options.seed)
        let clock = options.timezone.localTime(at: moment.wall).advanced(bySeconds: options.clockOffset)
        let past = WorkHistory(
            recordCount: options.records, people: people, seed: options.seed, end: clock.advanced(bySeconds: -1))
        let records = restored ?? past.records()
        var machine = EmulatorMachine(options, people: people, startCount: records.count, at: moment)
        for record in records { machine.log.append(machine.bytes(of: record)) }
        machine.enrolFingers()
        machine.operations.add(0, at: clock)
        return (machine, records)
    }

    private init(
        _ options: EmulatorOptions, people: [EmulatedPerson], startCount: Int, at moment: EmulatorMoment
    ) {
        self.options = options
        faults = FaultState(options.script, at: moment.uptime)
        if options.clockDrift != 0 { faults.begin(.clockDrift(options.clockDrift), until: nil) }
        driftSince = moment.uptime
        self.people = people
        layout =
            switch options.recordForm {
            case .bytes8: .bytes8
            case .bytes8B: .bytes8B
            case .bytes16: .bytes16
            case .bytes40: .bytes40
            case .bytes49: .bytes49
            case .bytes22: .bytes22
            }
        userLayout = options.resolvedUserForm == .bytes28 ? .bytes28 : .bytes72
        log = RecordLog(recordByteCount: layout.byteCount)
        clockOffset = options.clockOffset
        recordCapacity = options.capacity ?? startCount + 100_000
        nextSession = UInt16(truncatingIfNeeded: options.seed &* 7_919) | 1
        settings = [
            "~SerialNumber": options.serialNumber, "~DeviceName": options.deviceName, "~Platform": options.platform,
            "MAC": options.mac, "~ZKFPVersion": "10", "ZKFaceVersion": "7", "~OS": "1", "WorkCode": "0",
            "~PIN2Width": "9", "~IsABCPinEnable": "0", "~ExtendFmt": "0", "~UserExtFmt": "0", "FaceFunOn": "1",
            "CompatOldFirmware": "0", "IPAddress": options.host, "NetMask": "255.255.255.0",
            "GATEIPAddress": "0.0.0.0", "DeviceID": "1",
        ]
    }

    /// The uptime at which ``EmulatorInput/timePassed`` has something to do.
    var nextDeadline: Duration? {
        let enrolment = options.enrolment == .waiting ? nil : site.enrolment?.deadline
        return (connections.values.map(\.events.deadline) + [enrolment, faults.deadline]).compactMap { $0 }.min()
    }

    /// Who punches with a finger has one enrolled.
    private mutating func enrolFingers() {
        for person in people where WorkHistory.habit(of: person.uid) == 1 && !templates.isFull {
            _ = templates.put(TemplateShelf.invented(uid: person.uid, finger: 6, seed: options.seed))
        }
    }

    var recordCount: Int { log.count }

    mutating func handle(_ input: EmulatorInput, at moment: EmulatorMoment) -> [EmulatorEffect] {
        damaging(react(to: input, at: moment))
    }

    private var isSilent: Bool { isMuted || faults.isSilent }

    private mutating func react(to input: EmulatorInput, at moment: EmulatorMoment) -> [EmulatorEffect] {
        switch input {
        case .connected(let id, let transport):
            connections[id] = EmulatorConnection(transport, repeatInterval: options.eventRepeatInterval)
            guard faults.refusesConnections, transport == .tcp else { return [.observe(.connected(id))] }
            return [.observe(.connected(id)), .observe(.connectionRefused(id)), .close(id)]
        case .disconnected(let id):
            connections[id] = nil
            if site.enrolment?.connection == id { cancelEnrolment() }
            return [.observe(.disconnected(id))]
        case .received(let id, let packet): return isSilent ? [] : answer(packet, on: id, at: moment)
        case .timePassed:
            let effects = advanceFaults(at: moment)
            return effects + (isSilent ? [] : advanceEvents(at: moment) + enrolmentIfDue(at: moment))
        case .punch(let code): return punch(code, at: moment)
        case .burst(let count): return burst(count, overwriting: false, at: moment)
        case .drop: return closeAll()
        case .fault(let fault, let lasting): return begin(fault, for: lasting, at: moment)
        case .endFaults(let word): return endFaults(word, at: moment)
        case .stopScript:
            faults.stopScript()
            return []
        case .mute(let isOn):
            isMuted = isOn
            return []
        }
    }

    /// What the terminal's clock shows.
    func clock(at moment: EmulatorMoment) -> LocalDateTime {
        options.timezone.localTime(at: moment.wall).advanced(bySeconds: clockOffset + drift(at: moment))
    }

    mutating func makeSession() -> UInt16 {
        defer { nextSession = nextSession == .max ? 1 : nextSession + 1 }
        return nextSession
    }

    func bytes(of record: EmulatedRecord) -> [UInt8] {
        layout.encode(
            AttendanceRecord(
                uid: record.uid, code: record.code, time: record.localTime, verification: record.verification,
                state: record.state, workCode: record.workCode))
    }

    // MARK: New punches

    private mutating func punch(_ code: String?, at moment: EmulatorMoment) -> [EmulatorEffect] {
        let before = overwritten
        guard let record = record(code, overwriting: options.overwrites, at: moment) else { return [] }
        var effects = keep([record], overwriting: overwritten - before)
        guard !isSilent else { return effects }
        for id in subscribers {
            let announced = payload(of: record)
            let payloads = connections[id]?.events.push(announced, now: moment.uptime) ?? []
            effects += send(payloads, to: id, .alone)
        }
        return effects
    }

    mutating func burst(_ count: Int, overwriting: Bool, at moment: EmulatorMoment) -> [EmulatorEffect] {
        let before = overwritten
        let records = (0..<count).compactMap { _ in
            record(nil, overwriting: overwriting || options.overwrites, at: moment)
        }
        var effects = keep(records, overwriting: overwritten - before)
        guard !isSilent else { return effects }
        for id in subscribers {
            let announced = records.map(payload)
            let payloads = connections[id]?.events.burst(announced, now: moment.uptime) ?? []
            effects += send(payloads, to: id, .joined)
        }
        return effects
    }

    /// A punch of somebody, or of the next one in turn: nobody then has two in one second while others have none.
    /// `nil` when the log is full, nobody is enrolled, or a client has disabled the terminal.
    /// - Parameter overwriting: a full log gives up its oldest record.
    private mutating func record(
        _ code: String?, overwriting: Bool, at moment: EmulatorMoment
    ) -> EmulatedRecord? {
        guard log.count < recordCapacity || overwriting, !people.isEmpty, !site.isDisabled(at: moment.uptime) else {
            return nil
        }
        let person: EmulatedPerson
        if let code {
            guard let known = people.first(where: { $0.code == code }) else { return nil }
            person = known
        } else {
            person = people[nextPerson % people.count]
            nextPerson = (nextPerson + 1) % people.count
        }
        let time = clock(at: moment)
        let record = EmulatedRecord(
            uid: person.uid, code: person.code, localTime: time,
            verification: WorkHistory.habit(of: person.uid), state: time.hour < 12 ? 0 : 1)
        if log.count >= recordCapacity {
            log.removeFirst()
            overwritten += 1
        }
        log.append(bytes(of: record))
        return record
    }

    private func keep(_ records: [EmulatedRecord], overwriting count: Int) -> [EmulatorEffect] {
        guard !records.isEmpty else { return [] }
        let gone: [EmulatorEffect] = count > 0 ? [.overwrite(count), .observe(.recordsOverwritten(count))] : []
        return [.keep(records)] + gone + records.map { .observe(.recorded($0)) }
    }

    private var subscribers: [Int] {
        connections.filter { $0.value.isAuthenticated && $0.value.events.mask & UInt32(EventFlag.attendance) != 0 }
            .keys.sorted()
    }

    private func payload(of record: EmulatedRecord) -> [UInt8] {
        LiveEvent(
            code: record.code, time: record.localTime, verification: record.verification, state: record.state
        ).payload(byteCount: options.resolvedEventByteCount)
    }

    private mutating func advanceEvents(at moment: EmulatorMoment) -> [EmulatorEffect] {
        connections.keys.sorted().flatMap { id in
            send(connections[id]?.events.advance(now: moment.uptime) ?? [], to: id, .alone)
        }
    }

    private mutating func enrolmentIfDue(at moment: EmulatorMoment) -> [EmulatorEffect] {
        guard let deadline = site.enrolment?.deadline, moment.uptime >= deadline else { return [] }
        return advanceEnrolment(at: moment)
    }

    /// Event frames: the flag stands in the session field, the reply number is 0.
    func send(_ payloads: [[UInt8]], to id: Int, _ flow: FrameFlow) -> [EmulatorEffect] {
        payloads.flatMap { payload -> [EmulatorEffect] in
            let packet = Packet(
                code: Command.registerEvents, session: EventFlag.attendance, replyNumber: 0, payload: payload)
            return [.send(id, packet, flow), .observe(.eventSent(connection: id))]
        }
    }
}

/// What the terminal knows of one client.
struct EmulatorConnection: Sendable {
    let transport: Endpoint.Kind
    /// 0 before CONNECT.
    var session: UInt16 = 0
    /// When the last CONNECT came, with its reply number: over UDP it may come twice.
    var opening: (at: Duration, replyNumber: UInt16)?
    var isAuthenticated = false
    /// A snapshot: punches made since are not in it.
    var prepared: PreparedSet?
    /// Where the last chunk of the prepared set ended.
    var chunkEnd = 0
    /// What the client sends in pieces.
    var upload: EmulatedUpload?
    var events: EventQueue

    init(_ transport: Endpoint.Kind, repeatInterval: Duration?) {
        self.transport = transport
        events = EventQueue(repeatInterval: repeatInterval)
    }

    /// What is said of a set at once; a larger one is read in chunks. Over UDP pyzk reads 1,024 bytes, the header
    /// included, and the rest of a longer datagram is lost.
    var inlineByteCount: Int { transport == .udp ? 1_016 : 1_024 }

    /// Over TCP frames stay below 65,536 bytes, as some public clients read only 16 bits of the length; clients take
    /// datagrams of 1,032 bytes.
    var largestData: Int { transport == .udp ? 1_024 : ChunkRequest.maximumByteCount }
}
