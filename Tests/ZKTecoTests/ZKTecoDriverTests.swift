import DeviceKit
import DeviceKitTesting
import Synchronization
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// Sessions of the driver with an emulated terminal.
enum Driving {
    static func settings(_ texts: [String: String] = [:]) throws -> ZKTecoSettings {
        try ZKTecoSettings(
            ZKTecoSettings.schema.values(texts.merging(["address": "192.0.2.1"]) { given, _ in given }))
    }

    static func context(_ dialer: any Dialer, _ time: any TimeSource) throws -> DriverContext {
        DriverContext(
            device: try #require(DeviceID("front-door")), timeZone: .utc, time: time, random: SeededRandom(seed: 1),
            dialer: dialer, log: SilentLog())
    }

    static func open(_ terminal: EmulatedTerminal, _ texts: [String: String] = [:]) async throws -> ZKTecoSession {
        let driver = try ZKTecoDriver(
            settings: try settings(texts), context: try context(terminal, terminal.time))
        return try #require(try await driver.open() as? ZKTecoSession)
    }

    struct Reading {
        var records: [PunchRecord] = []
        var rejected: [RejectedRecord] = []
        var resets: [SourceReset] = []
        var cursor: Cursor?
    }

    /// The log from a cursor to its end.
    static func read(
        _ session: ZKTecoSession, after cursor: Cursor? = nil, limit: Int = 2_000
    ) async throws -> Reading {
        var reading = Reading(cursor: cursor)
        while true {
            let page = try await session.poll(PollRequest(cursor: reading.cursor, limit: limit))
            reading.records += page.records
            reading.rejected += page.rejected
            reading.resets += page.reset.map { [$0] } ?? []
            reading.cursor = page.cursor
            if !page.hasMore { return reading }
        }
    }
}

/// What both sides agree on of a record.
struct Essence: Hashable {
    let code: String
    let time: LocalDateTime
    let verification: Int
    let state: Int

    init(_ record: PunchRecord) {
        code = record.code
        time = record.localTime
        verification = record.verification.raw
        state = record.direction.raw
    }

    init(_ record: EmulatedRecord) {
        code = record.code
        time = record.localTime
        verification = Int(record.verification)
        state = Int(record.state)
    }
}

extension Essence {
    /// What is wrong with what was read, in a few words: whole logs are too long for a message.
    static func differences(_ read: [PunchRecord], _ truth: some Collection<EmulatedRecord>) -> [String] {
        let (read, truth) = (read.map(Essence.init), truth.map(Essence.init))
        let count = read.count == truth.count ? [] : ["\(read.count) records instead of \(truth.count)"]
        let wrong = zip(read, truth).first { $0 != $1 }.map { ["\($0) instead of \($1)"] } ?? []
        return count + wrong
    }
}

@Suite("The ZKTeco driver: opening")
struct ZKTecoOpeningTests {
    @Test("says who the terminal is", arguments: [EmulatedTerminal.Delivery.framed, .coalesced, .pieces(1)])
    func identity(_ delivery: EmulatedTerminal.Delivery) async throws {
        let options = EmulatorOptions()
        let terminal = try EmulatedTerminal(options, delivery: delivery)
        let session = try await Driving.open(terminal)
        #expect(
            session.identity
                == DeviceIdentity(
                    serialNumber: options.serialNumber, registrationNumber: options.platform,
                    model: options.deviceName, firmware: options.firmware, macAddress: options.mac))
        await session.close()
        #expect(terminal.requests.last == Command.exit)
        #expect(terminal.openLinks == 0)
    }

    @Test("never disables the terminal, and enables one that somebody left disabled")
    func neverDisables() async throws {
        let terminal = try EmulatedTerminal()
        let session = try await Driving.open(terminal)
        _ = try await Driving.read(session)
        await session.close()
        #expect(terminal.requests.contains(Command.enableDevice))
        #expect(!terminal.requests.contains(Command.disableDevice))
    }

    @Test("gets in with the comm key", arguments: ["1", "123456", "4294967295"])
    func rightKey(_ key: String) async throws {
        var options = EmulatorOptions()
        options.commKey = try #require(UInt32(key))
        let terminal = try EmulatedTerminal(options)
        let session = try await Driving.open(terminal, ["password": key])
        #expect(session.identity.serialNumber == options.serialNumber)
        await session.close()
    }

    @Test("says whether a comm key is wrong or missing, and leaves nothing open", arguments: ["0", "54321"])
    func wrongKey(_ key: String) async throws {
        var options = EmulatorOptions()
        options.commKey = 12_345
        let terminal = try EmulatedTerminal(options)
        await #expect {
            _ = try await Driving.open(terminal, ["password": key])
        } throws: { error in
            let fault = error as? DeviceFault
            return fault?.code == .unauthorised && fault?.message.contains(key == "0" ? "wants" : "refuses") == true
        }
        #expect(terminal.openLinks == 0)
    }

    @Test("a key with letters is refused at the place where it stands")
    func letters() {
        #expect(throws: ConfigurationError.self) { try Driving.settings(["password": "secret"]) }
    }

    @Test("knows secure firmware by its challenge and by its magic")
    func secure() async throws {
        let challenge = Packet(code: Reply.secureChallenge, session: 1, replyNumber: 0)
        for reply in [Frame.bytes(challenge), Frame.secureMagic + [8, 0, 0, 0]] {
            let link = ScriptedTransport([.expect(Self.connectBytes), .reply(reply)])
            await #expect {
                try await Self.open(link)
            } throws: { ($0 as? DeviceFault)?.code == .secureCommunication }
            #expect(link.isClosed)
        }
    }

    @Test("another service on the port is named as such")
    func otherService() async throws {
        let link = ScriptedTransport([.expect(Self.connectBytes), .reply(Array("HTTP/1.1 400\r\n".utf8))])
        await #expect {
            try await Self.open(link)
        } throws: { ($0 as? DeviceFault)?.code == .malformed }
    }

    @Test("a terminal that says nothing is given up after the time-out")
    func silence() async throws {
        let time = ManualTime()
        let link = ScriptedTransport([.expect(Self.connectBytes), .stall])
        let opening = Task { try await Self.open(link, time) }
        await time.waitForSleepers(1)
        time.advance(by: .seconds(10))
        await #expect {
            try await opening.value
        } throws: { ($0 as? DeviceFault)?.code == .timedOut }
        #expect(link.isClosed)
    }

    private static let connectBytes = Frame.bytes(Packet(code: Command.connect, session: 0, replyNumber: 0))

    private static func open(_ link: ScriptedTransport, _ time: ManualTime = ManualTime()) async throws {
        let driver = try ZKTecoDriver(
            settings: try Driving.settings(), context: try Driving.context(ScriptedDialer([.link(link)]), time))
        _ = try await driver.open()
    }
}

@Suite("The ZKTeco driver: polls")
struct ZKTecoPollTests {
    @Test(
        "reads every record of every form, and all people, over every line", arguments: EmulatedRecordForm.allCases,
        Line.allCases)
    func forms(_ form: EmulatedRecordForm, _ line: Line) async throws {
        var options = EmulatorOptions()
        options.recordForm = form
        options.records = 5_000
        options.people = 200
        let terminal = try line.terminal(options)
        try await line.session(terminal) { session in
            let reading = try await Driving.read(session)
            #expect(Essence.differences(reading.records, terminal.truth) == [])
            #expect(reading.rejected.isEmpty && reading.resets.isEmpty)
            #expect(try await session.readPeople().count == 200)
        }
        #expect(terminal.requests.last == Command.exit)
    }

    @Test(
        "reads small logs, empty ones, and those that end with a chunk or a datagram",
        arguments: [0, 1, 25, 26, 409, 410, 1_636, 1_637, 3_273], Line.transports)
    func sizes(_ count: Int, _ line: Line) async throws {
        var options = EmulatorOptions()
        options.records = count
        let terminal = try line.terminal(options)
        let reading = try await line.session(terminal) { try await Driving.read($0, limit: 100) }
        #expect(Essence.differences(reading.records, terminal.truth) == [])
        #expect(reading.cursor != nil)
    }

    @Test("reads the answers of older boards, many frames to a chunk")
    func manyFrames() async throws {
        var options = EmulatorOptions()
        options.records = 4_000
        options.dataByteCount = 1_008
        let terminal = try EmulatedTerminal(options, delivery: .coalesced)
        let session = try await Driving.open(terminal)
        #expect(try await Driving.read(session).records.count == 4_000)
        await session.close()
    }

    @Test("brings only what is new, from every cursor that it gave")
    func cursors() async throws {
        var options = EmulatorOptions()
        options.records = 300
        let terminal = try EmulatedTerminal(options)
        let session = try await Driving.open(terminal)
        var cursors: [(Cursor?, Int)] = [(nil, 0)]
        var cursor: Cursor?
        var count = 0
        while true {
            let page = try await session.poll(PollRequest(cursor: cursor, limit: 37))
            cursor = page.cursor
            count += page.records.count
            cursors.append((cursor, count))
            if !page.hasMore { break }
        }
        terminal.handle(.punch(code: "1003"))
        let truth = terminal.truth.map(Essence.init)
        #expect(truth.count == 301)
        for (cursor, count) in cursors {
            let reading = try await Driving.read(session, after: cursor)
            #expect(reading.records.map(Essence.init) == Array(truth.dropFirst(count)))
            #expect(reading.resets.isEmpty)
        }
        await session.close()
    }

    @Test("reads everything anew when the log was cleared, shortened or rewritten, and says so")
    func rewritten() async throws {
        let changes: [(inout [EmulatedRecord]) -> Void] = [
            { $0.removeAll() },
            { $0.removeLast(10) },
            { $0.swapAt(3, 9) },
            { records in
                let first = records.removeFirst()
                records.append(first)
            },
        ]
        for change in changes {
            var options = EmulatorOptions()
            options.records = 3_000
            let terminal = try EmulatedTerminal(options)
            let session = try await Driving.open(terminal, ["log_read": "full"])
            let before = try await Driving.read(session)
            terminal.replaceLog(change)
            let after = try await Driving.read(session, after: before.cursor)
            #expect(after.resets.map(\.reason) == [.logRewritten])
            #expect(Essence.differences(after.records, terminal.truth) == [])
            let again = try await Driving.read(session, after: after.cursor)
            #expect(again.records.isEmpty && again.resets.isEmpty)
            await session.close()
        }
    }

    @Test("another serial number is another log")
    func replaced() async throws {
        let terminal = try EmulatedTerminal()
        let first = try await Driving.open(terminal)
        let before = try await Driving.read(first)
        await first.close()
        terminal.setOption("~SerialNumber", "OTHER")
        let second = try await Driving.open(terminal)
        let after = try await Driving.read(second, after: before.cursor)
        #expect(after.resets.map(\.reason) == [.deviceReplaced])
        #expect(after.records.count == before.records.count)
        await second.close()
    }

    @Test(
        "falls back on the direct read when the buffered one is refused", arguments: [Reply.badCommand, Reply.error],
        Line.allCases)
    func direct(_ refusal: UInt16, _ line: Line) async throws {
        var options = EmulatorOptions()
        options.records = 3_000
        options.preparationRefusal = refusal
        let terminal = try line.terminal(options)
        let reading = try await line.session(terminal) { try await Driving.read($0) }
        #expect(Essence.differences(reading.records, terminal.truth) == [])
        #expect(terminal.requests.contains(Command.logRead))
    }

    @Test("asks again for a chunk that came short, and never takes a shortened log for a whole one")
    func shortChunks() async throws {
        for losses in [2, 3] {
            let damaged = Mutex<Set<UInt16>>([])
            var options = EmulatorOptions()
            options.records = 3_000
            options.dataByteCount = 8_000
            let terminal = try EmulatedTerminal(
                options,
                tamper: { packet in
                    guard packet.code == Command.data, packet.payload.count == 8_000 else { return packet }
                    // The first piece of the answer is lost, in so many attempts.
                    let isLost = damaged.withLock { damaged in
                        damaged.count < losses && damaged.insert(packet.replyNumber).inserted
                    }
                    return isLost ? nil : packet
                })
            // The end of a chunk may overtake its data, so what is missing is waited for.
            try await terminal.whileTimePasses {
                let session = try await Driving.open(terminal)
                if losses == 2 {
                    #expect(try await Driving.read(session).records.count == 3_000)
                } else {
                    await #expect {
                        _ = try await Driving.read(session)
                    } throws: { ($0 as? DeviceFault)?.code == .incomplete }
                }
                await session.close()
            }
        }
    }

    @Test("a damaged record is rejected with its bytes and does not end the read")
    func damaged() async throws {
        var options = EmulatorOptions()
        options.records = 20
        let terminal = try EmulatedTerminal(
            options,
            tamper: { packet in
                guard packet.code == Command.data, packet.payload.count == 804 else { return packet }
                var damaged = packet
                // The packed time of the sixth record: 31 February.
                damaged.payload.replaceSubrange(
                    4 + 5 * 40 + 27..<4 + 5 * 40 + 31, with: [0x80, 0x8E, 0x8D, 0x2E])
                return damaged
            })
        let session = try await Driving.open(terminal)
        let reading = try await Driving.read(session)
        #expect(reading.records.count + reading.rejected.count == 20)
        #expect(reading.rejected.count <= 1)
        await session.close()
    }

    @Test("reads people without their passwords, with names of any code page")
    func people() async throws {
        var options = EmulatorOptions()
        options.people = 50
        let terminal = try EmulatedTerminal(options)
        let session = try await Driving.open(terminal)
        let people = try await session.readPeople()
        #expect(people.count == 50)
        #expect(people.first?.privilege == .administrator)
        #expect(Set(people.map(\.code)).count == 50)
        await session.close()
        #expect(NameEncoding.auto.decode([0xCD, 0xF5, 0xD0, 0xA1, 0xC3, 0xF7]) == "王小明")
        #expect(NameEncoding.auto.decode(Array("José".utf8)) == "José")
        #expect(NameEncoding.windows1251.decode([0xC8, 0xE2, 0xE0, 0xED]) == "Иван")
    }

    @Test("reads and sets the clock")
    func clock() async throws {
        let terminal = try EmulatedTerminal()
        let session = try await Driving.open(terminal)
        let shown = try await session.readClock()
        #expect(shown == DeviceTimeZone.utc.localTime(at: terminal.time.now()))
        try await session.setClock(try #require(LocalDateTime("2024-02-29 13:45:00")))
        #expect(try await session.readClock().description == "2024-02-29 13:45:00")
        await session.close()
    }
}

/// Counts down from several tasks.
final class Counter: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    /// Whether there was one left.
    func take() -> Bool {
        left.withLock { left in
            guard left > 0 else { return false }
            left -= 1
            return true
        }
    }
}
