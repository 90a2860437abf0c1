import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

@Suite("The ZKTeco driver: the terminal on its wall")
struct ZKTecoSiteTests {
    private func terminal(_ change: (inout EmulatorOptions) -> Void = { _ in }) throws -> EmulatedTerminal {
        var options = EmulatorOptions()
        options.records = 30
        change(&options)
        return try EmulatedTerminal(options)
    }

    @Test("tells who it is in full, and what it holds")
    func details() async throws {
        let terminal = try terminal()
        terminal.setOption("LockOn", "5")
        try await withSession(terminal) { session async throws in
            let details = try await session.readDetails()
            #expect(details.identity == session.identity)
            #expect(details.networkMask == "255.255.255.0" && details.gateway == "0.0.0.0")
            #expect(details.fingerprintAlgorithm == "10" && details.faceAlgorithm == "7")
            #expect(details.activity == "waiting")
            #expect(details.options.contains(.init(name: "LockOn", value: "5")))
            #expect(!details.options.contains { $0.name == "DHCP" })
            let counts = try await session.readCounts()
            #expect(counts.people == 20 && counts.records == 30 && counts.administrators == 1)
            #expect(counts.fingerprints == terminal.machine.templates.count)
            #expect(counts.operations == 1)
        }
    }

    @Test("reads single options, and no secrets")
    func options() async throws {
        let terminal = try terminal()
        terminal.setOption("COMKey", "4711")
        try await withSession(terminal) { session async throws in
            #expect(try await session.readOption("~OS") == "1")
            #expect(try await session.readOption("Nothing") == nil)
            for name in ["COMKey", "comkey", "", "a=b", "a b", String(repeating: "x", count: 65)] {
                #expect(await fault { _ = try await session.readOption(name) }?.code == .invalidRequest)
            }
        }
    }

    @Test(
        "unlocks its door by the unit of the settings, and says what was sent",
        arguments: [("tenths", 50), ("seconds", 5)])
    func unlock(_ unit: String, _ number: UInt32) async throws {
        let terminal = try terminal { $0.tellsDoorState = true }
        try await withSession(terminal, ["unlock_unit": unit]) { session async throws in
            #expect(try await session.readDoor() == .closed)
            let note = try await session.unlockDoor(for: .seconds(5))
            #expect(note.contains("sent \(number) "))
            #expect(try await session.readDoor() == .open)
            for duration in [Duration.zero, .seconds(-1), .seconds(601), .milliseconds(500)] {
                #expect(await fault { _ = try await session.unlockDoor(for: duration) }?.code == .invalidRequest)
            }
        }
        #expect(terminal.observations.contains(.unlocked(number)))
        #expect(terminal.requests.count { $0 == Command.unlock } == 1)
    }

    @Test("a terminal that says nothing of its door")
    func silentDoor() async throws {
        let state = try await withSession(try terminal()) { try await $0.readDoor() }
        #expect(state == .unknown)
    }

    @Test("speaks and shows texts")
    func voiceAndDisplay() async throws {
        let terminal = try terminal()
        try await withSession(terminal) { session async throws in
            try await session.playVoice(10)
            try await session.showMessage("HELLO", line: 2)
            #expect(terminal.machine.site.display == [2: Array("HELLO".utf8)])
            try await session.clearMessage()
            #expect(terminal.machine.site.display.isEmpty)
            #expect(await fault { try await session.playVoice(256) }?.code == .invalidRequest)
            #expect(await fault { try await session.showMessage("x", line: 16) }?.code == .invalidRequest)
            #expect(await fault { try await session.showMessage("a\nb", line: 0) }?.code == .invalidRequest)
            let long = String(repeating: "x", count: 33)
            #expect(await fault { try await session.showMessage(long, line: 0) }?.code == .invalidRequest)
        }
        #expect(terminal.observations.contains(.spoke(10)))
    }

    @Test("restarts and switches off, with or without an answer", arguments: [true, false])
    func power(_ answers: Bool) async throws {
        for command in [Command.restart, Command.powerOff] {
            let terminal = try EmulatedTerminal(
                EmulatorOptions(),
                tamper: { packet in
                    answers || packet.code != Reply.ok || !packet.payload.isEmpty || packet.replyNumber < 7
                        ? packet : nil
                })
            let session = try await Driving.open(terminal)
            if command == Command.restart { try await session.restart() } else { try await session.powerOff() }
            #expect(terminal.observations.contains(command == Command.restart ? .restarted : .poweredOff))
            await session.close()
            #expect(terminal.openLinks == 0)
            #expect(terminal.requests.last == command)
        }
    }

    @Test("tells what was done to it, and keeps what does not decode")
    func operations() async throws {
        let terminal = try terminal()
        let time = try #require(LocalDateTime("2026-11-24 08:30:00"))
        try await withSession(terminal) { session async throws in
            try await session.setClock(time)
            _ = try await session.unlockDoor(for: .seconds(3))
            terminal.change { $0.operations.add(200, at: time, [9, 8, 7, 6]) }
            let log = try await session.readOperations()
            #expect(log.rejected.isEmpty)
            #expect(log.entries.map(\.number) == [0, 21, 29, 200])
            #expect(log.entries.map(\.name) == ["power on", "set the clock", "unlock the door", nil])
            #expect(log.entries.last?.parameters == [9, 8, 7, 6])
            #expect(log.entries.last?.raw.count == 16)
        }
        let damaged = try EmulatedTerminal(
            EmulatorOptions(),
            tamper: { packet in
                guard packet.code == Command.data, packet.payload.count == 20 else { return packet }
                var packet = packet
                packet.payload.replaceSubrange(8..<12, with: [0xFF, 0xFF, 0xFF, 0xFF])
                return packet
            })
        try await withSession(damaged) { session async throws in
            let log = try await session.readOperations()
            #expect(log.entries.isEmpty && log.rejected.count == 1)
        }
    }

    @Test("the operation log of a busy terminal is read in chunks")
    func manyOperations() async throws {
        let terminal = try terminal()
        let time = try #require(LocalDateTime("2026-11-24 08:30:00"))
        terminal.change { machine in for _ in 0..<12_000 { machine.operations.add(4, at: time) } }
        try await withSession(terminal) { session async throws in
            #expect(try await session.readOperations().entries.count == OperationShelf.capacity)
        }
    }
}

@Suite("The ZKTeco driver: clearing the log")
struct ZKTecoClearingTests {
    private static let allowed = ["clear_log": "true"]

    private func terminal(records: Int = 300) throws -> EmulatedTerminal {
        var options = EmulatorOptions()
        options.records = records
        return try EmulatedTerminal(options)
    }

    @Test("the operation log is cleared only where the settings allow it and it is still what was read")
    func operations() async throws {
        let terminal = try terminal()
        let time = try #require(LocalDateTime("2026-11-24 08:30:00"))
        try await withSession(terminal) { session async throws in
            let mark = try await session.readOperations().mark
            #expect(await fault { try await session.clearOperations(mark) }?.code == .notAllowed)
        }
        try await withSession(terminal, Self.allowed) { session async throws in
            let old = try await session.readOperations().mark
            terminal.change { $0.operations.add(4, at: time) }
            let grown = await fault { try await session.clearOperations(old) }
            #expect(grown?.code == .rejected)
            // As many as before, and the newest another one: a log that overwrites.
            let read = try await session.readOperations().mark
            terminal.change { machine in
                machine.operations.removeAll()
                for number in 0..<UInt8(clamping: read.count) { machine.operations.add(number + 40, at: time) }
            }
            #expect(await fault { try await session.clearOperations(read) }?.code == .rejected)
            #expect(!terminal.requests.contains(Command.clearOperationLog))
            try await session.clearOperations(try await session.readOperations().mark)
            #expect(terminal.machine.operations.records.isEmpty)
            #expect(terminal.requests.filter { $0 == Command.clearOperationLog }.count == 1)
            // Nothing is left to clear.
            try await session.clearOperations(try await session.readOperations().mark)
            #expect(terminal.requests.filter { $0 == Command.clearOperationLog }.count == 1)
        }
        #expect(terminal.truth.count == 300)
    }

    @Test("is off unless the settings allow it")
    func off() async throws {
        let terminal = try terminal()
        try await withSession(terminal) { session async throws in
            let cursor = try #require(try await Driving.read(session).cursor)
            #expect(await fault { try session.checkClearingIsAllowed() }?.code == .notAllowed)
            #expect(await fault { try await session.holdRecording(for: .seconds(60)) }?.code == .notAllowed)
            #expect(await fault { try await session.clearLog(coveredBy: cursor) }?.code == .notAllowed)
        }
        #expect(!terminal.requests.contains(Command.clearLog) && !terminal.requests.contains(Command.disableDevice))
    }

    @Test("clears what was read, and the next poll knows that it was meant to be")
    func clears() async throws {
        let terminal = try terminal()
        try await withSession(terminal, Self.allowed) { session async throws in
            let read = try await Driving.read(session)
            try await session.holdRecording(for: .seconds(60))
            terminal.handle(.punch(code: "1001"))
            #expect(terminal.truth.count == 300)
            let announced = try session.cursorForClearing(try #require(read.cursor))
            try await session.clearLog(coveredBy: announced)
            #expect(terminal.truth.isEmpty)
            await session.releaseRecording()
            terminal.handle(.punch(code: "1002"))
            let after = try await Driving.read(session, after: announced)
            #expect(after.resets.map(\.reason) == [.logCleared])
            #expect(after.records.map(\.code) == ["1002"])
            terminal.handle(.punch(code: "1003"))
            let later = try await Driving.read(session, after: after.cursor)
            #expect(later.resets.isEmpty && later.records.map(\.code) == ["1003"])
        }
    }

    @Test("an empty log after it is expected as well, also by another session")
    func emptyAfterwards() async throws {
        let terminal = try terminal()
        let announced = try await withSession(terminal, Self.allowed) { session async throws in
            let announced = try session.cursorForClearing(try #require(try await Driving.read(session).cursor))
            try await session.clearLog(coveredBy: announced)
            return announced
        }
        try await withSession(terminal) { session async throws in
            let after = try await Driving.read(session, after: announced)
            #expect(after.resets.map(\.reason) == [.logCleared] && after.records.isEmpty)
            // What somebody else clears from now on is a surprise again.
            terminal.handle(.punch(code: "1001"))
            let more = try await Driving.read(session, after: after.cursor)
            terminal.replaceLog { $0.removeAll() }
            #expect(try await Driving.read(session, after: more.cursor).resets.map(\.reason) == [.logRewritten])
        }
    }

    @Test("a log that grew past its old length in the meantime is told apart by its records")
    func grown() async throws {
        let terminal = try terminal(records: 20)
        let announced = try await withSession(terminal, Self.allowed) { session async throws in
            let announced = try session.cursorForClearing(try #require(try await Driving.read(session).cursor))
            try await session.clearLog(coveredBy: announced)
            return announced
        }
        terminal.time.advance(by: .seconds(3_600))
        for _ in 0..<30 { terminal.handle(.punch(code: nil)) }
        try await withSession(terminal) { session async throws in
            let after = try await Driving.read(session, after: announced)
            #expect(after.resets.map(\.reason) == [.logCleared])
            #expect(after.records.count == 30)
        }
    }

    @Test("an announcement that nothing followed is forgotten with the next poll", arguments: ["auto", "full"])
    func notCleared(_ reading: String) async throws {
        let terminal = try terminal()
        try await withSession(terminal, ["log_read": reading]) { session async throws in
            let announced = try session.cursorForClearing(try #require(try await Driving.read(session).cursor))
            let page = try await Driving.read(session, after: announced)
            #expect(page.records.isEmpty && page.resets.isEmpty)
            terminal.replaceLog { $0.removeAll() }
            #expect(try await Driving.read(session, after: page.cursor).resets.map(\.reason) == [.logRewritten])
        }
    }

    @Test("nothing is cleared that was not read, nor at another terminal, nor where there are no counts")
    func guards() async throws {
        let terminal = try terminal()
        try await withSession(terminal, Self.allowed) { session async throws in
            let cursor = try session.cursorForClearing(try #require(try await Driving.read(session).cursor))
            terminal.handle(.punch(code: "1001"))
            let grown = await fault { try await session.clearLog(coveredBy: cursor) }
            #expect(grown?.code == .rejected)
            #expect(grown?.message.contains("301") == true && grown?.message.contains("300") == true)
            var foreign = try ZKTecoCursor(cursor)
            foreign.serialNumber = "OTHER"
            let other = try #require(foreign.cursor)
            #expect(await fault { try await session.clearLog(coveredBy: other) }?.code == .rejected)
        }
        var options = EmulatorOptions()
        options.counters = .zero
        let blind = try EmulatedTerminal(options)
        try await withSession(blind, Self.allowed) { session async throws in
            let cursor = try #require(try await Driving.read(session).cursor)
            #expect(await fault { try await session.clearLog(coveredBy: cursor) }?.code == .rejected)
        }
        for terminal in [terminal, blind] { #expect(!terminal.requests.contains(Command.clearLog)) }
    }

    @Test("the poll before it compares the end of the log, however short the last comparison is ago")
    func comparesAgain() async throws {
        let terminal = try terminal()
        try await withSession(terminal, Self.allowed) { session async throws in
            let read = try await Driving.read(session)
            // A full ring: as many records, but other ones.
            terminal.replaceLog { records in
                let first = records.removeFirst()
                records.append(
                    EmulatedRecord(uid: first.uid, code: first.code, localTime: first.localTime.advanced(bySeconds: 1)))
            }
            try await session.holdRecording(for: .seconds(60))
            let rest = try await Driving.read(session, after: read.cursor)
            #expect(rest.resets.map(\.reason) == [.logRewritten])
            await session.releaseRecording()
            #expect(terminal.requests.last == Command.enableDevice)
        }
    }
}
