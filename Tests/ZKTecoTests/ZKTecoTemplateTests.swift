import DeviceKit
import DeviceKitTesting
import Synchronization
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

@Suite("The ZKTeco driver: templates and enrolment")
struct ZKTecoTemplateTests {
    private static let allowed = ["credentials": "true"]

    private func terminal(_ change: (inout EmulatorOptions) -> Void = { _ in }) throws -> EmulatedTerminal {
        var options = EmulatorOptions()
        options.people = 30
        options.records = 10
        change(&options)
        return try EmulatedTerminal(options)
    }

    @Test("are off unless the settings allow them")
    func off() async throws {
        let terminal = try terminal()
        for work: @Sendable (ZKTecoSession) async throws -> Void in [
            { _ = try await $0.readTemplates(of: nil) }, { _ = try await $0.deleteTemplates(of: "1001", finger: nil) },
            { try await $0.saveTemplates([Template(code: "1001", finger: 0, bytes: [1])]) },
        ] {
            let fault = await fault { try await withSession(terminal) { try await work($0) } }
            #expect(fault?.code == .notAllowed)
            #expect(fault?.kind == .permanent)
            #expect(fault?.message.contains("credentials: true") == true)
        }
        #expect(!terminal.requests.contains(Command.templateDelete))
        #expect(!terminal.requests.contains(Command.saveUserTemplates))
    }

    @Test("are read as they are, of everybody or of one", arguments: [EmulatedUserForm.bytes72, .bytes28])
    func read(_ form: EmulatedUserForm) async throws {
        let terminal = try terminal { $0.userForm = form }
        let held = terminal.machine.templates.all
        #expect(held.count > 5)
        try await withSession(terminal, Self.allowed) { session async throws in
            let all = try await session.readTemplates(of: nil)
            #expect(all.map { $0.reveal() } == held.map(\.bytes))
            #expect(all.allSatisfy { $0.finger == 6 && $0.validity == .valid && $0.algorithm == "10" })
            let code = try #require(all.last?.code)
            #expect(try await session.readTemplates(of: code).map(\.code) == [code])
        }
    }

    @Test("a terminal without templates, and a person who is not there")
    func none() async throws {
        let terminal = try terminal()
        terminal.change { $0.templates.removeAll() }
        try await withSession(terminal, Self.allowed) { session async throws in
            #expect(try await session.readTemplates(of: nil).isEmpty)
            #expect(try await session.deleteTemplates(of: "1001", finger: 3) == 0)
            #expect(await fault { _ = try await session.readTemplates(of: "4") }?.code == .notFound)
            #expect(await fault { _ = try await session.deleteTemplates(of: "4", finger: 1) }?.code == .notFound)
            #expect(
                await fault { _ = try await session.deleteTemplates(of: "1001", finger: 10) }?.code == .invalidRequest)
        }
    }

    @Test(
        "move to another terminal, and people's rows stay as they were",
        arguments: [EmulatedUserForm.bytes72, .bytes28])
    func copy(_ form: EmulatedUserForm) async throws {
        let source = try terminal { $0.userForm = form }
        let target = try terminal { $0.userForm = form }
        target.change { machine in
            machine.templates.removeAll()
            machine.people[0].password = [0x31]
        }
        let rows = target.machine.people.map { target.machine.userLayout.encode($0.record) }
        var templates = try await withSession(source, Self.allowed) { try await $0.readTemplates(of: nil) }
        // Some more fingers of one person, one of them for duress.
        for finger in 0..<3 {
            templates.append(
                Template(
                    code: "1001", finger: finger, validity: finger == 2 ? .duress : .valid, algorithm: "10",
                    bytes: TemplateShelf.invented(uid: 1, finger: UInt8(finger), seed: 9).bytes))
        }
        let written = templates
        let read = try await withSession(target, Self.allowed) { session async throws in
            try await session.saveTemplates(written)
            return try await session.readTemplates(of: nil)
        }
        let order = { (left: Template, right: Template) in (left.code, left.finger) < (right.code, right.finger) }
        #expect(read.sorted(by: order) == written.sorted(by: order))
        #expect(target.machine.people.map { target.machine.userLayout.encode($0.record) } == rows)
    }

    @Test("are checked before anything is written")
    func checks() async throws {
        let terminal = try terminal()
        let before = terminal.machine.templates.all
        let good = Template(code: "1001", finger: 1, algorithm: "10", bytes: [1, 2, 3])
        let faults: [(Template, DeviceFault.Code)] = [
            (Template(code: "4", finger: 1, bytes: [1]), .notFound),
            (Template(code: "1001", finger: 1, algorithm: "9", bytes: [1]), .invalidRequest),
            (Template(code: "1001", finger: 1, bytes: []), .invalidRequest),
            (Template(code: "1001", finger: 10, bytes: [1]), .invalidRequest),
            (Template(code: "1001", finger: 1, bytes: Array(repeating: 1, count: 65_530)), .invalidRequest),
        ]
        for (bad, code) in faults {
            let fault = await fault {
                try await withSession(terminal, Self.allowed) { try await $0.saveTemplates([good, bad]) }
            }
            #expect(fault?.code == code)
        }
        #expect(terminal.machine.templates.all == before)
        #expect(!terminal.requests.contains(Command.saveUserTemplates))
    }

    @Test("are removed finger by finger")
    func delete() async throws {
        let terminal = try terminal()
        terminal.change { machine in
            for finger in [UInt8(0), 1, 2] {
                _ = machine.templates.put(TemplateShelf.invented(uid: 1, finger: finger, seed: 5))
            }
            _ = machine.templates.remove(uid: 1, finger: 6)
        }
        let others = terminal.machine.templates.count - 3
        try await withSession(terminal, Self.allowed) { session async throws in
            #expect(try await session.deleteTemplates(of: "1001", finger: 1) == 1)
            #expect(try await session.deleteTemplates(of: "1001", finger: 1) == 0)
            #expect(try await session.deleteTemplates(of: "1001", finger: nil) == 2)
        }
        #expect(terminal.machine.templates.count == others)
        #expect(!terminal.requests.contains(Command.templateDelete))
    }

    @Test("a table that lies is a fault without its bytes")
    func hostile() async throws {
        let terminal = try EmulatedTerminal(
            EmulatorOptions(),
            tamper: { packet in
                guard packet.code == Command.data, packet.payload.count > 4_000 else { return packet }
                var packet = packet
                packet.payload[4] = 3
                packet.payload[5] = 0
                return packet
            })
        let fault = await fault {
            try await withSession(terminal, Self.allowed) { _ = try await $0.readTemplates(of: nil) }
        }
        #expect(fault?.code == .malformed)
        #expect(fault?.evidence == [])
    }

    // MARK: Enrolment

    @Test("a finger is enrolled, and every step is told", arguments: [false, true])
    func enrol(overUDP: Bool) async throws {
        let terminal = try terminal()
        let events = EventLog()
        try await withSession(terminal, overUDP ? ["transport": "udp"] : [:]) { session async throws in
            let byteCount = try await session.enrol(EnrolmentRequest(code: "1002", finger: 3)) { events.add($0) }
            let stored = terminal.machine.templates[2, 3]
            #expect(byteCount == stored?.bytes.count)
            #expect(stored?.flag == 1)
        }
        let round: [EnrolmentEvent] = [.placed, .sample(isGood: true)]
        #expect(events.all == [.waiting] + round + round + round)
        #expect(terminal.observations.contains(.enrolled(code: "1002", finger: 3)))
        // The terminal is left as it was found.
        #expect(
            terminal.requests.suffix(4) == [
                Command.registerEvents, Command.cancelCapture, Command.startVerify, Command.exit,
            ])
    }

    @Test(
        "what goes wrong at the sensor is said",
        arguments: [
            (EmulatedEnrolment.duplicate, "enrolled already"), (.timedOut, "gave up"), (.refused, "declines"),
        ])
    func failures(_ outcome: EmulatedEnrolment, _ words: String) async throws {
        let terminal = try terminal { $0.enrolment = outcome }
        let before = terminal.machine.templates.count
        let fault = await fault {
            try await withSession(terminal) {
                _ = try await $0.enrol(EnrolmentRequest(code: "1002", finger: 3)) { _ in }
            }
        }
        #expect(fault?.code == .rejected)
        #expect(fault?.message.contains(words) == true, "\(fault?.message ?? "")")
        #expect(terminal.machine.templates.count == before)
        #expect(terminal.requests.suffix(3) == [Command.cancelCapture, Command.startVerify, Command.exit])
    }

    @Test("nobody comes: the driver gives up after a minute")
    func nobody() async throws {
        let terminal = try terminal { $0.enrolment = .waiting }
        let session = try await Driving.open(terminal)
        let waiting = AsyncStream.makeStream(of: Void.self)
        let enrolling = Task {
            await fault {
                _ = try await session.enrol(EnrolmentRequest(code: "1002", finger: 3)) { _ in
                    waiting.continuation.yield()
                }
            }
        }
        // Before it the time-outs of requests slept.
        for await _ in waiting.stream { break }
        await terminal.time.waitForSleepers(1)
        terminal.time.advance(by: .seconds(60))
        #expect(await enrolling.value?.code == .rejected)
        #expect(terminal.machine.site.enrolment == nil)
        await session.close()
    }

    @Test("somebody who gives up lets the terminal give up")
    func cancelled() async throws {
        let terminal = try terminal { $0.enrolment = .waiting }
        let session = try await Driving.open(terminal)
        let waiting = AsyncStream.makeStream(of: Void.self)
        let enrolling = Task {
            await fault {
                _ = try await session.enrol(EnrolmentRequest(code: "1002", finger: 3)) { _ in
                    waiting.continuation.yield()
                }
            }
        }
        for await _ in waiting.stream { break }
        #expect(terminal.machine.site.enrolment != nil)
        enrolling.cancel()
        #expect(await enrolling.value?.code == .cancelled)
        #expect(terminal.machine.site.enrolment == nil)
        #expect(terminal.requests.suffix(2) == [Command.cancelCapture, Command.startVerify])
        await session.close()
    }

    @Test("punches go on while somebody enrols")
    func besideCapture() async throws {
        let terminal = try terminal()
        let receiver = RecordingReceiver()
        let session = try await Driving.open(terminal)
        let capture = Task { try? await session.capture(into: receiver) }
        await receiver.waitForSubscription()
        _ = try await session.enrol(EnrolmentRequest(code: "1002", finger: 3)) { _ in }
        terminal.handle(.punch(code: "1003"))
        await receiver.waitForDurable(records: 1)
        #expect(receiver.durableRecords.map(\.code) == ["1003"])
        capture.cancel()
        await capture.value
        await session.close()
    }
}

/// What an enrolment told.
final class EventLog: Sendable {
    private let events = Mutex<[EnrolmentEvent]>([])
    var all: [EnrolmentEvent] { events.withLock { $0 } }
    func add(_ event: EnrolmentEvent) { events.withLock { $0.append(event) } }
}

@Suite("Templates and enrolments on the wire")
struct TemplateWireTests {
    @Test("a set and an upload read as they were written")
    func roundTrips() throws {
        let entries = [UInt8(0), 3, 9].map { TemplateShelf.invented(uid: 65_534, finger: $0, seed: 1) }
        #expect(try TemplateTable.decode(TemplateTable.encode(entries)) == entries)
        #expect(try TemplateTable.decode(TemplateTable.encode([])) == [])
        let user = UserRecord(
            uid: 65_534, privilege: 3, password: [0x31], name: [0x41], card: 9, group: 2,
            access: [1, 0, 2, 0, 3, 0, 4, 0], code: "12")
        let upload = TemplateUpload(users: [user], templates: entries)
        let read = try TemplateUpload(bytes: upload.bytes(.bytes72), .bytes72)
        #expect(read.users == [user] && read.templates == entries)
    }

    @Test("truncated and damaged ones never crash and never lie about their length")
    func hostile() {
        let entries = [
            TemplateEntry(uid: 1, finger: 0, bytes: [1, 2, 3]), TemplateEntry(uid: 2, finger: 1, bytes: [4]),
        ]
        let user = UserRecord(uid: 1, name: [0x41], code: "1")
        for whole in [
            TemplateTable.encode(entries), TemplateUpload(users: [user], templates: entries).bytes(.bytes72),
        ] {
            for end in whole.indices {
                let cut = Array(whole[..<end])
                if let read = try? TemplateTable.decode(cut) { #expect(read.count < 2) }
                #expect(throws: WireError.self) { try TemplateUpload(bytes: cut, .bytes72) }
            }
            for index in whole.indices {
                for bit in 0..<8 {
                    var damaged = whole
                    damaged[index] ^= 1 << UInt8(bit)
                    _ = try? TemplateTable.decode(damaged)
                    _ = try? TemplateUpload(bytes: damaged, .bytes72)
                    _ = EnrolmentCompletion(payload: damaged)
                    _ = try? EnrolmentStart(payload: damaged)
                }
            }
        }
    }

    @Test("the upload of pyzk is understood, and ours has the same form")
    func recordedUpload() throws {
        // pyzk 0.9, save_user_template; vector save_user_template/5 without its header.
        let exchanges: [Vectors.Exchange] = try Vectors.load("zkteco-exchanges")
        let frame = try #require(
            exchanges.first {
                $0.name == "save_user_template" && $0.transport == "tcp" && $0.command == Command.data
                    && $0.direction == "client->terminal"
            })
        let bytes = Array(try Vectors.bytes(frame.hex).dropFirst(16))
        let upload = try TemplateUpload(bytes: bytes, .bytes72)
        #expect(upload.users.map(\.uid) == [2])
        #expect(upload.templates.map(\.bytes.count) == [48])
        #expect(TemplateUpload(users: upload.users, templates: upload.templates).bytes(.bytes72) == bytes)
    }

    @Test("the completion of an enrolment reads as it was recorded")
    func completion() throws {
        let payload = try #require(HexDump.bytes("000000023130303200000000000000"))
        let end = try #require(EnrolmentCompletion(payload: payload))
        #expect(end == EnrolmentCompletion(.stored, templateByteCount: 512, code: "1002", finger: 0))
        #expect(end.payload == payload)
        #expect(EnrolmentCompletion(payload: [1]) == nil && EnrolmentCompletion(payload: [0, 0]) == nil)
        #expect(EnrolmentCompletion(payload: [6, 0])?.result == .timedOut)
        #expect(EnrolmentCompletion(payload: [5, 0])?.result == .duplicate)
    }
}
