internal import DeviceKit
internal import ZKTecoWire

extension EmulatorMachine {
    /// Answers one request of a client.
    mutating func answer(_ packet: Packet, on id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        guard let connection = connections[id] else { return [] }
        if packet.code == Reply.ok { return acknowledge(id, at: moment) }
        let seen = EmulatorEffect.observe(.request(connection: id, command: packet.code))
        switch packet.code {
        case Command.connect: return [seen] + connect(packet, id, at: moment)
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

    private mutating func connect(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        let isTaken = connections.contains { $0.key != id && $0.value.session != 0 }
        if options.allowsOneConnection || faults.has(.oneConnection), isTaken { return [.close(id)] }
        if !isRepetition(packet, id, at: moment) {
            let transport = connections[id]?.transport ?? .tcp
            var connection = EmulatorConnection(transport, repeatInterval: options.eventRepeatInterval)
            connection.session = makeSession()
            connection.opening = (moment.uptime, packet.replyNumber)
            connection.isAuthenticated = !wantsKey
            connections[id] = connection
        }
        return [reply(packet, id, wantsKey ? Reply.unauthorised : Reply.ok)]
    }

    private var wantsKey: Bool { options.commKey != 0 || faults.has(.refuseKey) }

    /// A datagram that came twice opens one session. Not known of real terminals.
    private func isRepetition(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> Bool {
        guard let connection = connections[id], connection.transport == .udp, let opening = connection.opening else {
            return false
        }
        return opening.replyNumber == packet.replyNumber && moment.uptime - opening.at < .seconds(10)
    }

    private mutating func authenticate(
        _ packet: Packet, _ id: Int, _ connection: EmulatorConnection
    ) -> [EmulatorEffect] {
        let isRight =
            !faults.has(.refuseKey)
            && CommKey.accepts(packet.payload, key: options.commKey, session: connection.session)
        connections[id]?.isAuthenticated = isRight
        return [reply(packet, id, isRight ? Reply.ok : Reply.unauthorised)]
    }

    private mutating func acknowledge(_ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        // While somebody enrols, the client acknowledges what the sensor says.
        if let enrolment = site.enrolment, enrolment.connection == id, enrolment.isAwaiting {
            return advanceEnrolment(at: moment)
        }
        guard let outcome = connections[id]?.events.acknowledge(now: moment.uptime), outcome.counted else { return [] }
        let number = connections[id]?.events.acknowledged ?? 0
        return [.observe(.eventAcknowledged(connection: id, number: number))] + send(outcome.payloads, to: id, .alone)
    }

    private mutating func serve(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        switch packet.code {
        // Nine is the user table with the payload 5 alone, else one template.
        case Command.usersRead where packet.payload != [5]: return serveTemplates(packet, id)
        case Command.prepareBuffer, Command.readBuffer, Command.freeData, Command.logRead, Command.usersRead,
            Command.templatesRead, Command.operationLogRead:
            return serveData(packet, id)
        case Command.userWrite, Command.userDelete, Command.clearAdministrators: return [changePeople(packet, id)]
        case Command.clearLog, Command.clearData: return clear(packet, id, at: moment)
        case Command.clearOperationLog:
            operations.removeAll()
            return [reply(packet, id)]
        case Command.optionRead, Command.optionWrite: return [serveOption(packet, id)]
        case Command.timeRead, Command.timeWrite: return serveClock(packet, id, at: moment)
        case Command.counters: return [reply(packet, id, Reply.ok, counterBytes)]
        case Command.firmwareVersion: return [reply(packet, id, Reply.ok, Array(options.firmware.utf8) + [0])]
        case Command.pinWidth: return [reply(packet, id, Reply.ok, [UInt8(clamping: pinWidth)])]
        case Command.registerEvents: return [register(packet, id)]
        case Command.enableDevice, Command.disableDevice, Command.unlock, Command.doorState, Command.stateRead,
            Command.testVoice, Command.writeLCD, Command.clearLCD, Command.restart, Command.powerOff, Command.sleep,
            Command.resume, Command.enableClock, Command.refreshData, Command.refreshOption, Command.startVerify:
            return serveSite(packet, id, at: moment)
        case Command.startEnroll: return startEnrolment(packet, id, at: moment)
        case Command.cancelCapture:
            cancelEnrolment()
            return [reply(packet, id)]
        case Command.userTemplateRead, Command.templateDelete, Command.userTemplateDelete, Command.prepareData,
            Command.data, Command.uploadChecksum, Command.saveUserTemplates, Command.templateStore,
            Command.templateWrite:
            return serveTemplates(packet, id)
        case Command.userGroupRead...Command.unlockGroupsWrite, Command.clearAccess, Command.verifyStyleWrite,
            Command.verifyStyleRead:
            return [serveAccess(packet, id)]
        default: return [reply(packet, id, Reply.unknown)]
        }
    }

    private var counterBytes: [UInt8] {
        var counters = counters
        switch options.counters {
        case .full: return counters.bytes
        case .short:
            counters.faces = nil
            return counters.bytes
        case .zero: return [0, 0, 0, 0]
        }
    }

    private var counters: Counters {
        Counters(
            users: Int32(clamping: people.count), fingerprints: Int32(clamping: templates.count),
            records: Int32(clamping: max(log.count + faults.counterError, 0)),
            operations: Int32(clamping: operations.records.count),
            administrators: Int32(clamping: people.count { $0.privilege >= 12 }),
            passwords: Int32(clamping: people.count { !$0.password.isEmpty }),
            fingerprintCapacity: Int32(clamping: TemplateShelf.capacity),
            userCapacity: Int32(clamping: EmulatedPerson.maximumCount),
            recordCapacity: Int32(clamping: recordCapacity))
    }

    private mutating func register(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        var reader = ByteReader(packet.payload)
        guard let mask = try? reader.u32() else { return reply(packet, id, Reply.error) }
        connections[id]?.events.register(mask)
        return reply(packet, id)
    }
}
