import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// Opens a session, runs `body`, closes.
func withSession<Value>(
    _ terminal: EmulatedTerminal, _ settings: [String: String] = [:], _ body: (ZKTecoSession) async throws -> Value
) async throws -> Value {
    let session = try await Driving.open(terminal, settings)
    do {
        let value = try await body(session)
        await session.close()
        return value
    } catch {
        await session.close()
        throw error
    }
}

/// The code and the message of the fault that `body` ends with.
func fault(_ body: () async throws -> Void) async -> DeviceFault? {
    do {
        try await body()
        return nil
    } catch {
        return error as? DeviceFault
    }
}

@Suite("The ZKTeco driver: people")
struct ZKTecoPeopleTests {
    private func terminal(_ form: EmulatedUserForm = .bytes72, people: Int = 20) throws -> EmulatedTerminal {
        var options = EmulatorOptions()
        options.userForm = form
        options.people = people
        options.records = 10
        return try EmulatedTerminal(options)
    }

    @Test("adds somebody with every field, and touches nobody else", arguments: EmulatedUserForm.allCases)
    func add(_ form: EmulatedUserForm) async throws {
        let terminal = try terminal(form)
        let before = terminal.machine.people
        let change = PersonChange(
            code: "90777", name: "Zoe", privilege: .manager, isEnabled: false, card: .set("12345678"),
            password: .set(Secret("4711")), group: 5)
        try await withSession(terminal) { session async throws in
            #expect(try await session.putPerson(change) == .added)
            let read = try await session.readPeople().first { $0.code == "90777" }
            #expect(
                read
                    == Person(
                        code: "90777", name: "Zoe", privilege: .manager, isEnabled: false, card: "12345678", group: 5))
        }
        let after = terminal.machine.people
        let added = try #require(after.first { $0.code == "90777" })
        #expect(after.filter { $0.code != "90777" } == before)
        #expect(added.password == Array("4711".utf8))
        #expect(added.privilege == 7)
        // The lowest free slot.
        #expect(added.uid == 21)
        #expect(terminal.requests.contains(Command.refreshData))
    }

    @Test("takes the lowest free slot, and on black-and-white terminals the one of the same number")
    func slots() async throws {
        let colour = try terminal()
        colour.change { $0.people.removeAll { $0.uid == 7 } }
        try await withSession(colour) { _ = try await $0.putPerson(PersonChange(code: "55555")) }
        #expect(colour.machine.people.first { $0.code == "55555" }?.uid == 7)
        let old = try terminal(.bytes28)
        try await withSession(old) { session async throws in
            _ = try await session.putPerson(PersonChange(code: "5555"))
            // Slot 3 belongs to somebody else.
            _ = try await session.putPerson(PersonChange(code: "3"))
        }
        #expect(old.machine.people.first { $0.code == "5555" }?.uid == 5_555)
        #expect(old.machine.people.first { $0.code == "3" }?.uid == 21)
    }

    @Test("changes what is named and keeps the rest: slot, password, zones, levels without a name")
    func change() async throws {
        let terminal = try terminal()
        terminal.change { machine in
            machine.people[4].password = Array("1357".utf8)
            machine.people[4].privilege = 4
            machine.people[4].access = [1, 0, 7, 0, 8, 0, 9, 0]
            machine.people[4].group = 3
        }
        let before = terminal.machine.people
        try await withSession(terminal) { session async throws in
            #expect(try await session.putPerson(PersonChange(code: before[4].code, name: "New Name")) == .changed)
        }
        var expected = before
        expected[4].name = Array("New Name".utf8)
        #expect(terminal.machine.people == expected)
        try await withSession(terminal) { session async throws in
            _ = try await session.putPerson(PersonChange(code: before[4].code, privilege: .manager, isEnabled: false))
            _ = try await session.putPerson(PersonChange(code: before[4].code, card: .set("77")))
        }
        // Four is a manager already, and stays four.
        expected[4].privilege = 5
        expected[4].card = 77
        #expect(terminal.machine.people == expected)
        try await withSession(terminal) { session async throws in
            _ = try await session.putPerson(
                PersonChange(
                    code: before[4].code, privilege: .user, isEnabled: true, card: .remove, password: .remove))
        }
        expected[4].privilege = 0
        expected[4].card = 0
        expected[4].password = []
        #expect(terminal.machine.people == expected)
    }

    static let refusals: [(EmulatedUserForm, PersonChange, String)] = [
        (.bytes72, PersonChange(code: ""), "letters and digits"),
        (.bytes72, PersonChange(code: "1 2"), "without spaces"),
        (.bytes72, PersonChange(code: "AB12"), "digits only"),
        (.bytes72, PersonChange(code: "1234567890"), "at most 9 characters"),
        (.bytes72, PersonChange(code: "1", name: String(repeating: "x", count: 24)), "room for 23 bytes"),
        (.bytes72, PersonChange(code: "1", name: String(repeating: "ế", count: 8)), "takes 24"),
        (.bytes72, PersonChange(code: "1", name: "a\u{7}b"), "control characters"),
        (.bytes72, PersonChange(code: "1", card: .set("4294967296")), "card"),
        (.bytes72, PersonChange(code: "1", card: .set("0")), "card"),
        (.bytes72, PersonChange(code: "1", password: .set(Secret("123456789"))), "at most 8 digits"),
        (.bytes72, PersonChange(code: "1", password: .set(Secret("canary"))), "digits only"),
        (.bytes72, PersonChange(code: "1", group: 100), "1 to 99"),
        (.bytes72, PersonChange(code: "1", group: -1), "1 to 99"),
        (.bytes28, PersonChange(code: "007"), "leading zeros"),
        (.bytes28, PersonChange(code: "0"), "from 1"),
        (.bytes28, PersonChange(code: "1", name: "123456789"), "room for 8 bytes"),
        (.bytes28, PersonChange(code: "1", password: .set(Secret("123456"))), "at most 5 digits"),
    ]

    @Test("says what does not fit before anything is sent", arguments: refusals)
    func refuse(_ form: EmulatedUserForm, _ change: PersonChange, _ words: String) async throws {
        let terminal = try terminal(form)
        let before = terminal.machine.people
        let fault = await fault { try await withSession(terminal) { _ = try await $0.putPerson(change) } }
        #expect(fault?.code == .invalidRequest)
        #expect(fault?.message.contains(words) == true, "\(fault?.message ?? "")")
        #expect(fault?.message.contains("canary") == false)
        #expect(terminal.machine.people == before)
        #expect(!terminal.requests.contains(Command.userWrite))
    }

    @Test("takes letters where the terminal does")
    func letters() async throws {
        let terminal = try terminal()
        terminal.setOption("~IsABCPinEnable", "1")
        terminal.setOption("~PIN2Width", "24")
        try await withSession(terminal) { session async throws in
            _ = try await session.putPerson(PersonChange(code: "AB-12345", name: "Zoe"))
            #expect(try await session.readPeople().contains { $0.code == "AB-12345" })
        }
    }

    @Test("writes names in the terminal's code page, and refuses what it does not have")
    func encoding() async throws {
        let terminal = try terminal()
        try await withSession(terminal, ["encoding": "gbk"]) { session async throws in
            _ = try await session.putPerson(PersonChange(code: "555", name: "王小明"))
            #expect(try await session.readPeople().first { $0.code == "555" }?.name == "王小明")
        }
        #expect(
            terminal.machine.people.first { $0.code == "555" }?.name == [0xCD, 0xF5, 0xD0, 0xA1, 0xC3, 0xF7])
        let refused = await fault {
            try await withSession(terminal, ["encoding": "windows-1252"]) {
                _ = try await $0.putPerson(PersonChange(code: "556", name: "王"))
            }
        }
        #expect(refused?.code == .invalidRequest)
    }

    @Test("the first person on an empty terminal")
    func first() async throws {
        let terminal = try terminal(people: 0)
        try await withSession(terminal) { session async throws in
            #expect(try await session.readPeople().isEmpty)
            #expect(try await session.putPerson(PersonChange(code: "1", name: "One")) == .added)
            #expect(try await session.readPeople().map(\.name) == ["One"])
        }
    }

    @Test("removes a person with their templates, and says when there is none")
    func delete() async throws {
        let terminal = try terminal()
        let fingers = terminal.machine.templates.count
        let victim = try #require(terminal.machine.people.first { terminal.machine.templates[$0.uid, 6] != nil })
        let missing = await fault {
            try await withSession(terminal) { session async throws in
                try await session.deletePerson(victim.code)
                #expect(try await session.readPeople().count == 19)
                try await session.deletePerson(victim.code)
            }
        }
        #expect(missing?.code == .notFound)
        #expect(terminal.machine.templates.count == fingers - 1)
    }

    @Test("a terminal that declines is heard")
    func declined() async throws {
        var options = EmulatorOptions()
        options.people = 3
        let terminal = try EmulatedTerminal(
            options,
            tamper: { packet in
                guard packet.code == Reply.ok, packet.payload.isEmpty else { return packet }
                return Packet(code: Reply.error, session: packet.session, replyNumber: packet.replyNumber)
            })
        // Opening needs its answers: the refusals begin with the first empty one after them.
        let fault = await fault {
            try await withSession(terminal) { _ = try await $0.putPerson(PersonChange(code: "9")) }
        }
        #expect(fault != nil)
    }
}
