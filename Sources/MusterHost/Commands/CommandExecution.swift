internal import DeviceKit

/// Performs a command on an open session.
struct CommandExecution: Sendable {
    let device: HostConfiguration.Device
    let time: any TimeSource
    /// Where the log goes before it is cleared; `nil` without a journal, and then no log can be cleared.
    let services: HostServices?
    var progress: @Sendable (EnrolmentEvent) async -> Void = { _ in }
    /// Hears of counts and resets that polls meet on the way.
    var found: (@Sendable (LogInventory?, SourceReset?) -> Void)?

    func run(_ command: DeviceCommand, on session: any DeviceSession) async throws(DeviceFault) -> DeviceAnswer {
        switch command {
        case .information: return .information(try await information(session))
        case .options(let names): return .options(try await options(names, session))
        case .readClock: return .clock(try await clock(try offer(session as? any DeviceClock, .clock)))
        case .setClock(let time):
            let clock = try offer(session as? any DeviceClock, .clock)
            try await clock.setClock(time ?? device.zone.localTime(at: self.time.now()))
            return .clock(try await self.clock(clock))
        case .readTemplates, .saveTemplates, .deleteTemplates, .enrol: return try await credentials(command, session)
        case .people, .putPerson, .deletePerson: return try await people(command, session)
        case .readDoor, .unlockDoor, .playVoice, .showMessage, .clearMessage, .restart, .powerOff:
            return try await look(after: session, command)
        case .operations:
            return .operations(
                try await offer(session as? any OperationLogReading, .operationLog).readOperations())
        case .clearOperations(let mark):
            try await offer(session as? any OperationLogClearing, .operationLogClearing).clearOperations(mark)
            return .done(nil)
        case .clearLog:
            guard let services else {
                throw DeviceFault(.invalidRequest, "a log is cleared only where there is a journal that has it")
            }
            let clearing = try offer(session as? any LogClearing, .logClearing)
            let clearance = LogClearance(device: device, services: services, found: found)
            return .cleared(try await clearance.run(clearing))
        }
    }

    /// The ability, or a fault that names it.
    private func offer<Ability>(_ ability: Ability?, _ capability: Capability) throws(DeviceFault) -> Ability {
        if let ability { return ability }
        throw DeviceFault(
            .unsupported, "the driver \(device.driver.manifest.id) does not offer \(capability.rawValue)")
    }

    // MARK: What it is

    private func information(_ session: any DeviceSession) async throws(DeviceFault) -> DeviceInformation {
        var information = DeviceInformation(details: DeviceDetails(identity: session.identity))
        if let reading = session as? any DeviceDetailsReading { information.details = try await reading.readDetails() }
        if let counting = session as? any DeviceCounting {
            information.counts = try await counting.readCounts()
        } else if let inventory = session as? any LogInventoryReading {
            let known = try await inventory.readInventory()
            var counts = DeviceCounts()
            counts.people = known.peopleCount
            counts.records = known.recordCount
            counts.recordCapacity = known.recordCapacity
            information.counts = counts
        }
        // A clock that shows no date is told of by `clock`; the rest of the picture is still worth having.
        if let clock = session as? any DeviceClock { information.clock = try? await self.clock(clock) }
        return information
    }

    private func options(
        _ names: [String], _ session: any DeviceSession
    ) async throws(DeviceFault) -> [DeviceDetails.Option] {
        let reading = try offer(session as? any DeviceOptionReading, .options)
        var options: [DeviceDetails.Option] = []
        for name in names {
            guard let value = try await reading.readOption(name) else { continue }
            options.append(DeviceDetails.Option(name: name, value: value))
        }
        return options
    }

    private func clock(_ clock: any DeviceClock) async throws(DeviceFault) -> ClockReading {
        let shown = try await clock.readClock()
        let right = device.zone.localTime(at: time.now())
        return ClockReading(shown: shown, drift: shown.wallSeconds - right.wallSeconds)
    }

    // MARK: People and what they identify with

    private func people(
        _ command: DeviceCommand, _ session: any DeviceSession
    ) async throws(DeviceFault) -> DeviceAnswer {
        switch command {
        case .putPerson(let change):
            return .person(try await offer(session as? any PeopleWriting, .peopleWriting).putPerson(change))
        case .deletePerson(let code):
            try await offer(session as? any PeopleWriting, .peopleWriting).deletePerson(code)
            return .done(nil)
        default: return .people(try await offer(session as? any PeopleReading, .people).readPeople())
        }
    }

    private func credentials(
        _ command: DeviceCommand, _ session: any DeviceSession
    ) async throws(DeviceFault) -> DeviceAnswer {
        if case .enrol(let request) = command {
            let enrolment = try offer(session as? any FingerEnrolment, .enrolment)
            let byteCount = try await enrolment.enrol(request, progress: progress)
            return .done(byteCount.map { "the device stored a template of \($0) bytes" })
        }
        let store = try offer(session as? any TemplateStore, .templates)
        switch command {
        case .saveTemplates(let templates):
            try await store.saveTemplates(templates)
            return .done(nil)
        case .deleteTemplates(let code, let finger):
            return .removed(try await store.deleteTemplates(of: code, finger: finger))
        case .readTemplates(let code): return .templates(try await store.readTemplates(of: code))
        default: return .done(nil)
        }
    }

    // MARK: The device on its wall

    private func look(
        after session: any DeviceSession, _ command: DeviceCommand
    ) async throws(DeviceFault) -> DeviceAnswer {
        switch command {
        case .readDoor: return .door(try await offer(session as? any DoorControl, .door).readDoor())
        case .unlockDoor(let duration):
            return .done(try await offer(session as? any DoorControl, .door).unlockDoor(for: duration))
        case .playVoice(let number):
            try await offer(session as? any VoicePlayback, .voice).playVoice(number)
        case .showMessage(let text, let line):
            try await offer(session as? any MessageDisplay, .display).showMessage(text, line: line)
        case .clearMessage: try await offer(session as? any MessageDisplay, .display).clearMessage()
        case .restart: try await offer(session as? any PowerControl, .power).restart()
        default: try await offer(session as? any PowerControl, .power).powerOff()
        }
        return .done(nil)
    }
}
