internal import DeviceKit
internal import ZKTecoWire

extension EmulatorMachine {
    /// Answers one request of a client.
    mutating func answer(_ packet: Packet, on id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        guard let connection = connections[id] else { return [] }
        if packet.code == Reply.ok { return acknowledge(id, at: moment) }
        let seen = EmulatorEffect.observe(.request(connection: id, command: packet.code))
        switch packet.code {
        case Command.connect: return [seen] + connect(packet, id)
        case Command.authenticate: return [seen] + authenticate(packet, id, connection)
        case Command.exit: return [seen, reply(packet, id), .close(id)]
        default:
            guard connection.isAuthenticated else { return [seen, reply(packet, id, Reply.unauthorised)] }
            return [seen] + serve(packet, id, at: moment)
        }
    }

    /// An answer of one frame, with the client's reply number and session.
    func reply(
        _ request: Packet, _ id: Int, _ code: UInt16 = Reply.ok, _ payload: [UInt8] = [],
        _ flow: FrameFlow = .alone
    ) -> EmulatorEffect {
        let session = connections[id]?.session ?? 0
        return .send(
            id, Packet(code: code, session: session, replyNumber: request.replyNumber, payload: payload), flow)
    }

    private mutating func connect(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        let isTaken = connections.contains { $0.key != id && $0.value.session != 0 }
        if options.allowsOneConnection, isTaken { return [.close(id)] }
        let session = makeSession()
        connections[id]?.session = session
        connections[id]?.isAuthenticated = options.commKey == 0
        return [reply(packet, id, options.commKey == 0 ? Reply.ok : Reply.unauthorised)]
    }

    private mutating func authenticate(
        _ packet: Packet, _ id: Int, _ connection: EmulatorConnection
    ) -> [EmulatorEffect] {
        let isRight = CommKey.accepts(packet.payload, key: options.commKey, session: connection.session)
        connections[id]?.isAuthenticated = isRight
        return [reply(packet, id, isRight ? Reply.ok : Reply.unauthorised)]
    }

    private mutating func acknowledge(_ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        guard let outcome = connections[id]?.events.acknowledge(now: moment.uptime), outcome.counted else { return [] }
        let number = connections[id]?.events.acknowledged ?? 0
        return [.observe(.eventAcknowledged(connection: id, number: number))] + send(outcome.payloads, to: id, .alone)
    }

    private mutating func serve(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        switch packet.code {
        case Command.prepareBuffer, Command.readBuffer, Command.freeData, Command.logRead, Command.usersRead,
            Command.templatesRead, Command.operationLogRead:
            return serveData(packet, id)
        case Command.userWrite, Command.userDelete, Command.clearAdministrators: return [changePeople(packet, id)]
        case Command.clearLog, Command.clearData: return clear(packet, id)
        case Command.optionRead, Command.optionWrite: return [serveOption(packet, id)]
        case Command.timeRead, Command.timeWrite: return serveClock(packet, id, at: moment)
        case Command.counters: return [reply(packet, id, Reply.ok, counters.bytes)]
        case Command.firmwareVersion: return [reply(packet, id, Reply.ok, Array(options.firmware.utf8) + [0])]
        case Command.pinWidth: return [reply(packet, id, Reply.ok, [9])]
        case Command.registerEvents: return [register(packet, id)]
        case Command.enableDevice, Command.disableDevice, Command.refreshData, Command.refreshOption,
            Command.cancelCapture, Command.startVerify, Command.testVoice, Command.unlock, Command.doorState,
            Command.writeLCD, Command.clearLCD:
            return [reply(packet, id)]
        case Command.restart, Command.powerOff:
            return [reply(packet, id)] + connections.keys.sorted().map { .close($0) }
        // Templates, enrolment and uploads: this terminal has no sensor.
        case Command.userTemplateRead, Command.templateDelete, Command.userTemplateDelete, Command.startEnroll,
            Command.saveUserTemplates, Command.prepareData, Command.data:
            return [reply(packet, id, Reply.error)]
        default: return [reply(packet, id, Reply.unknown)]
        }
    }

    private var counters: Counters {
        Counters(
            users: Int32(clamping: people.count), records: Int32(clamping: log.count),
            administrators: Int32(clamping: people.count { $0.privilege >= 12 }),
            passwords: Int32(clamping: people.count { !$0.password.isEmpty }), fingerprintCapacity: 3_000,
            userCapacity: Int32(clamping: EmulatedPerson.maximumCount),
            recordCapacity: Int32(clamping: recordCapacity))
    }

    private mutating func register(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        var reader = ByteReader(packet.payload)
        guard let mask = try? reader.u32() else { return reply(packet, id, Reply.error) }
        connections[id]?.events.register(mask)
        return reply(packet, id)
    }

    private mutating func serveOption(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        if packet.code == Command.optionWrite {
            guard let option = OptionText.split(packet.payload), settings.count < 1_000 else {
                return reply(packet, id, Reply.error)
            }
            settings[option.name] = option.value
            return reply(packet, id)
        }
        let name = OptionText.text(packet.payload)
        guard let value = settings[name] else { return reply(packet, id, Reply.error) }
        return reply(packet, id, Reply.ok, OptionText.answer(name: name, value: value))
    }

    private mutating func serveClock(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        var payload = ByteWriter()
        if packet.code == Command.timeRead {
            payload.u32(PackedTime.encode(clock(at: moment)))
            return [reply(packet, id, Reply.ok, payload.bytes)]
        }
        var reader = ByteReader(packet.payload)
        guard let value = try? reader.u32(), let time = PackedTime.decode(value) else {
            return [reply(packet, id, Reply.error)]
        }
        clockOffset += time.wallSeconds - clock(at: moment).wallSeconds
        return [.observe(.clockSet(time)), reply(packet, id)]
    }

    // MARK: People and log

    private mutating func changePeople(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        switch packet.code {
        case Command.userWrite:
            guard let layout = UserLayout(rawValue: packet.payload.count),
                let user = try? layout.decode(packet.payload[...], readsPassword: true), user.uid != 0,
                people.count < EmulatedPerson.maximumCount
            else { return reply(packet, id, Reply.error) }
            people.removeAll { $0.uid == user.uid }
            people.append(EmulatedPerson(user))
            people.sort { $0.uid < $1.uid }
        case Command.userDelete:
            var reader = ByteReader(packet.payload)
            guard let uid = try? reader.u16(), people.contains(where: { $0.uid == uid }) else {
                return reply(packet, id, Reply.error)
            }
            people.removeAll { $0.uid == uid }
        default:
            for index in people.indices { people[index].privilege = 0 }
        }
        return reply(packet, id)
    }

    private mutating func clear(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        log = RecordLog(recordByteCount: layout.byteCount)
        if packet.code == Command.clearData, packet.payload.isEmpty || packet.payload[0] == 5 { people = [] }
        return [.forgetLog, .observe(.logCleared), reply(packet, id)]
    }

    // MARK: Bulk data

    private mutating func serveData(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        switch packet.code {
        case Command.prepareBuffer: return [prepare(packet, id)]
        case Command.readBuffer: return readChunk(packet, id)
        case Command.freeData:
            connections[id]?.prepared = nil
            return [reply(packet, id)]
        // Old clients ask for the set itself. Nine with another payload is one template, and there is none.
        case Command.usersRead where packet.payload.first != 5 || packet.payload.count != 1:
            return [reply(packet, id, Reply.error)]
        default:
            guard let set = set(for: packet.code) else { return [reply(packet, id, Reply.error)] }
            return chunk(set.bytes(from: 0, byteCount: set.byteCount), packet, id)
        }
    }

    private mutating func prepare(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        guard let request = try? BulkRequest(payload: packet.payload), let set = set(for: request.command) else {
            return reply(packet, id, Reply.error)
        }
        if set.byteCount <= Self.inlineByteCount {
            connections[id]?.prepared = nil
            return reply(packet, id, Command.data, set.bytes(from: 0, byteCount: set.byteCount))
        }
        connections[id]?.prepared = set
        connections[id]?.chunkEnd = 0
        return reply(
            packet, id, Reply.ok, BulkAnnouncement(byteCount: UInt32(clamping: set.byteCount)).payload)
    }

    private func set(for command: UInt16) -> PreparedSet? {
        switch command {
        case Command.logRead: return .log(log)
        case Command.usersRead:
            var writer = ByteWriter(capacity: 4 + people.count * userLayout.byteCount)
            writer.u32(UInt32(clamping: people.count * userLayout.byteCount))
            for person in people { writer.append(userLayout.encode(person.record)) }
            return .bytes(writer.bytes)
        case Command.templatesRead, Command.operationLogRead: return .bytes([0, 0, 0, 0])
        default: return nil
        }
    }

    private mutating func readChunk(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        guard let set = connections[id]?.prepared, let request = try? ChunkRequest(payload: packet.payload),
            request.start >= 0, request.byteCount >= 0, Int(request.start) <= set.byteCount
        else { return [reply(packet, id, Reply.error)] }
        var start = Int(request.start)
        let follows = start == 0 || start == connections[id]?.chunkEnd
        switch options.chunkStart {
        case .honoured: break
        case .refused: guard follows else { return [reply(packet, id, Reply.error)] }
        case .ignored: if !follows { start = connections[id]?.chunkEnd ?? 0 }
        }
        let bytes = set.bytes(from: start, byteCount: Int(request.byteCount))
        connections[id]?.chunkEnd = start + bytes.count
        return chunk(bytes, packet, id)
    }

    /// PREPARE_DATA with both lengths, DATA, ACK_OK.
    private func chunk(_ bytes: [UInt8], _ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        let pieceByteCount = max(1, min(options.dataByteCount ?? ChunkRequest.maximumByteCount, Self.largestPiece))
        let announced = ChunkAnnouncement(
            byteCount: UInt32(clamping: bytes.count), frameByteCount: UInt32(clamping: pieceByteCount))
        var effects = [reply(packet, id, Command.prepareData, announced.payload, .paced)]
        for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
            let piece = Array(bytes[start..<min(start + pieceByteCount, bytes.count)])
            effects.append(reply(packet, id, Command.data, piece, .paced))
        }
        effects.append(reply(packet, id))
        return effects
    }

    /// Frames stay below 65,536 bytes: some public clients read only 16 bits of the length.
    private static let largestPiece = 65_472
}
