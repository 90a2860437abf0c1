import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// One client of an emulated terminal, on the level of packets.
private struct Client {
    var machine: EmulatorMachine
    var uptime = Duration.zero
    private var number: UInt16 = 0

    init(_ options: EmulatorOptions = EmulatorOptions()) throws {
        let moment = EmulatorMoment(wall: Instant(secondsSince1970: 1_767_600_000), uptime: .zero)
        machine = try EmulatorMachine.make(options, restoring: nil, at: moment).machine
        _ = machine.handle(.connected(1, .tcp), at: moment)
        _ = ask(Command.connect)
    }

    /// The packets that the terminal answers with.
    mutating func ask(_ code: UInt16, _ payload: [UInt8] = []) -> [Packet] {
        number += 1
        let packet = Packet(
            code: code, session: machine.connections[1]?.session ?? 0, replyNumber: number, payload: payload)
        return handle(.received(1, packet))
    }

    mutating func handle(_ input: EmulatorInput) -> [Packet] {
        let moment = EmulatorMoment(wall: Instant(secondsSince1970: 1_767_600_000) + uptime, uptime: uptime)
        return machine.handle(input, at: moment).compactMap {
            if case .send(_, let packet, _) = $0 { packet } else { nil }
        }
    }

    /// The code of the only answer.
    mutating func code(_ code: UInt16, _ payload: [UInt8] = []) -> UInt16? { ask(code, payload).first?.code }
}

@Suite("The emulated terminal: commands")
struct EmulatorCommandTests {
    private func hex(_ text: String) throws -> [UInt8] { try #require(HexDump.bytes(text.filter { $0 != " " })) }

    @Test("one template is read in two ways, and a missing one is refused")
    func templates() throws {
        var client = try Client()
        let entry = try #require(client.machine.templates.all.first)
        let place = [UInt8(entry.uid & 0xFF), UInt8(entry.uid >> 8), entry.finger]
        let newer = client.ask(Command.userTemplateRead, place)
        #expect(newer.map(\.code) == [Command.prepareData, Command.data, Reply.ok])
        #expect(newer[1].payload == entry.bytes + [1])
        #expect(client.ask(Command.usersRead, place)[1].payload == entry.bytes)
        #expect(client.code(Command.userTemplateRead, [1, 0, 9]) == Reply.error)
        #expect(client.code(Command.templateDelete, place) == Reply.ok)
        #expect(client.code(Command.templateDelete, place) == Reply.error)
    }

    @Test("the old way of writing a template: size, pieces, checksum, place")
    func oldUpload() throws {
        var client = try Client()
        #expect(client.code(Command.data, [1]) == Reply.error)
        #expect(client.code(Command.prepareData, [3, 0, 0, 0]) == Reply.ok)
        #expect(client.code(Command.data, [7, 8, 9]) == Reply.ok)
        #expect(client.ask(Command.uploadChecksum).first?.payload.count == 4)
        #expect(client.code(Command.templateStore, [2, 0, 5, 3, 4, 0]) == Reply.error)
        #expect(client.code(Command.templateStore, [2, 0, 5, 3, 3, 0]) == Reply.ok)
        #expect(client.machine.templates[2, 5] == TemplateEntry(uid: 2, finger: 5, flag: 3, bytes: [7, 8, 9]))
        #expect(client.code(Command.saveUserTemplates, TemplateUpload.commit) == Reply.error)
    }

    @Test("takes no more than was announced, and announces no more than it holds")
    func uploadLimits() throws {
        var client = try Client()
        #expect(client.code(Command.prepareData, [0, 0, 0, 0]) == Reply.error)
        #expect(client.code(Command.prepareData, [0, 0, 0, 0x7F]) == Reply.error)
        #expect(client.code(Command.prepareData, [2, 0, 0, 0]) == Reply.ok)
        #expect(client.code(Command.data, [1, 2, 3]) == Reply.error)
        #expect(client.code(Command.freeData) == Reply.ok)
        #expect(client.code(Command.data, [1]) == Reply.error)
    }

    @Test("CLEAR_DATA clears what its byte says")
    func clearData() throws {
        for (kind, log, templates, people, operations) in [
            (UInt8(1), true, false, false, false), (2, false, true, false, false), (4, false, false, false, true),
            (5, false, true, true, false),
        ] {
            var client = try Client()
            #expect(client.code(Command.clearData, [kind]) == Reply.ok)
            #expect((client.machine.log.count == 0) == log)
            #expect((client.machine.templates.count == 0) == templates)
            #expect(client.machine.people.isEmpty == people)
            #expect(client.machine.operations.records.isEmpty == operations)
        }
        var client = try Client()
        #expect(client.code(Command.clearData) == Reply.ok)
        #expect(client.machine.log.count == 0 && client.machine.people.isEmpty && client.machine.templates.count == 0)
    }

    @Test("nobody punches at a disabled terminal; with a limit it helps itself")
    func disabled() throws {
        var client = try Client()
        let count = client.machine.log.count
        #expect(client.code(Command.disableDevice) == Reply.ok)
        _ = client.handle(.punch(code: "1001"))
        #expect(client.machine.log.count == count)
        #expect(client.code(Command.enableDevice) == Reply.ok)
        _ = client.handle(.punch(code: "1001"))
        #expect(client.machine.log.count == count + 1)
        // zkteco-js sends four zero bytes, the PHP clients two.
        #expect(client.code(Command.disableDevice, [10, 0, 0, 0]) == Reply.ok)
        client.uptime = .seconds(9)
        _ = client.handle(.punch(code: "1001"))
        #expect(client.machine.log.count == count + 1)
        client.uptime = .seconds(10)
        _ = client.handle(.punch(code: "1001"))
        #expect(client.machine.log.count == count + 2)
        #expect(client.code(Command.disableDevice, [0, 0]) == Reply.ok)
        client.uptime = .seconds(10_000)
        _ = client.handle(.punch(code: "1001"))
        #expect(client.machine.log.count == count + 2)
    }

    @Test("state, door, display and voice")
    func site() throws {
        var options = EmulatorOptions()
        options.tellsDoorState = true
        options.enrolment = .waiting
        var client = try Client(options)
        #expect(client.ask(Command.stateRead).first?.session == 0)
        #expect(client.code(Command.startEnroll, EnrolmentStart(code: "1001", finger: 2).longPayload) == Reply.ok)
        #expect(client.ask(Command.stateRead).first?.session == 1)
        #expect(client.code(Command.cancelCapture) == Reply.ok)
        #expect(client.ask(Command.doorState).first?.payload == [0])
        #expect(client.code(Command.unlock, [30, 0, 0, 0]) == Reply.ok)
        #expect(client.ask(Command.doorState).first?.payload == [1])
        client.uptime = .seconds(3)
        #expect(client.ask(Command.doorState).first?.payload == [0])
        #expect(client.code(Command.writeLCD, try hex("0100 00 20 48454c4c4f")) == Reply.ok)
        #expect(client.machine.site.display[1] == Array("HELLO".utf8))
        #expect(client.code(Command.writeLCD, try hex("1000 00 20 48")) == Reply.error)
        #expect(client.code(Command.testVoice, [10, 0]) == Reply.ok)
        #expect(client.code(Command.testVoice, [10, 0, 0, 0]) == Reply.ok)
    }

    @Test("access objects keep what is written, in their captured forms")
    func access() throws {
        var client = try Client()
        let zone = try hex("30000000 110c110d 11251125 11251125 11251125 11251125 11251125 11231124")
        #expect(client.code(Command.timeZoneWrite, zone) == Reply.ok)
        let read = client.ask(Command.timeZoneRead, [48, 0, 0, 0]).first?.payload
        #expect(read?.count == 32)
        #expect(read.map { Array($0[2..<30]) } == Array(zone[4...]))
        #expect(client.code(Command.timeZoneRead, [51, 0, 0, 0]) == Reply.error)
        let group = try hex("4d 0800 0700 0600 8e")
        #expect(client.code(Command.groupZonesWrite, group) == Reply.ok)
        #expect(client.ask(Command.groupZonesRead, [77, 0, 0, 0, 0, 0, 0, 0]).first?.payload == group)
        let combination = try hex("07 01 02 00 00 00 0200")
        #expect(client.code(Command.unlockGroupsWrite, combination) == Reply.ok)
        #expect(client.ask(Command.unlockGroupsRead, [7, 0, 0, 0, 0, 0, 0, 0]).first?.payload == combination)
        #expect(client.code(Command.userGroupWrite, [2, 0, 0, 0, 9]) == Reply.ok)
        #expect(client.ask(Command.userGroupRead, [2, 0, 0, 0]).first?.payload == [9])
        // The flag that is read says the group's, the one that is written says the person's own.
        #expect(client.ask(Command.userZonesRead, [2, 0, 0, 0]).first?.payload == [1, 0, 0, 0, 0, 0, 0, 0])
        let own = try hex("02000000 01000000 03000000 04000000 05000000")
        #expect(client.code(Command.userZonesWrite, own) == Reply.ok)
        #expect(client.ask(Command.userZonesRead, [2, 0, 0, 0]).first?.payload == [0, 0, 3, 0, 4, 0, 5, 0])
        #expect(client.code(Command.verifyStyleWrite, [2, 0, 129] + Array(repeating: 0, count: 21)) == Reply.ok)
        #expect(client.ask(Command.verifyStyleRead, [2, 0]).first?.payload.prefix(3) == [2, 0, 129])
        #expect(client.code(Command.clearAccess) == Reply.ok)
        #expect(client.ask(Command.verifyStyleRead, [2, 0]).first?.payload.prefix(3) == [2, 0, 0])
    }

    @Test("an enrolment goes on with acknowledgements, or slowly without them")
    func enrolment() throws {
        var client = try Client()
        var frames = client.ask(Command.startEnroll, EnrolmentStart(code: "1001", finger: 2).longPayload)
        #expect(frames.map(\.code) == [Reply.ok, Command.registerEvents])
        #expect(frames.last?.session == EventFlag.finger)
        frames = client.handle(.received(1, Packet(code: Reply.ok, session: 1, replyNumber: 0)))
        #expect(frames.map(\.session) == [EventFlag.fingerScore])
        #expect(client.handle(.timePassed).isEmpty)
        #expect(client.machine.nextDeadline == .seconds(1))
        client.uptime = .seconds(1)
        #expect(client.handle(.timePassed).map(\.session) == [EventFlag.finger])
        for second in 2...5 {
            client.uptime = .seconds(second)
            frames = client.handle(.timePassed)
        }
        let end = try #require(frames.first.flatMap { EnrolmentCompletion(payload: $0.payload) })
        #expect(end.result == .stored && end.code == "1001" && end.finger == 2)
        #expect(client.machine.templates[1, 2]?.bytes.count == Int(end.templateByteCount))
        #expect(client.machine.nextDeadline == nil)
    }

    @Test("refuses people that it cannot hold")
    func people() throws {
        var client = try Client()
        let good = UserRecord(uid: 30, name: [0x41], code: "30")
        #expect(client.code(Command.userWrite, UserLayout.bytes72.encode(good)) == Reply.ok)
        for bad in [
            UserRecord(uid: 0, name: [], code: "31"), UserRecord(uid: 31, name: [], code: "1234567890"),
            UserRecord(uid: 31, name: [], code: "AB"),
        ] {
            #expect(client.code(Command.userWrite, UserLayout.bytes72.encode(bad)) == Reply.error)
        }
        #expect(client.code(Command.userWrite, [1, 2, 3]) == Reply.error)
    }

    @Test("whatever bytes come with whatever command, it answers and holds little")
    func hostile() throws {
        var random = SplitMix64(seed: 11)
        var options = EmulatorOptions()
        options.people = 5
        options.records = 5
        var client = try Client(options)
        let commands: [UInt16] =
            Array(1...140) + [150, 201, 202, 500, 1009, 1012] + Array(1002...1017) + Array(1500...1504)
        for _ in 0..<20_000 {
            guard let command = commands.randomElement(using: &random) else { continue }
            let count = Int.random(in: 0...40, using: &random)
            let payload = (0..<count).map { _ in
                UInt8.random(in: 0...(Bool.random(using: &random) ? 3 : 255), using: &random)
            }
            if client.machine.connections[1] == nil { _ = client.handle(.connected(1, .tcp)) }
            _ = client.ask(command, payload)
            client.uptime += .milliseconds(10)
        }
        #expect(client.machine.people.count < 1_000)
        #expect(client.machine.templates.count <= TemplateShelf.capacity)
        #expect(client.machine.operations.records.count <= OperationShelf.capacity)
        #expect(client.machine.settings.count <= 1_000)
    }
}
