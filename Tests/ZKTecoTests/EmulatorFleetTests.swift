import Testing

@testable import ZKTecoEmulator

@Suite("Many terminals in one process")
struct EmulatorFleetTests {
    private func options() -> EmulatorOptions {
        var options = EmulatorOptions()
        options.truthPath = "truth-{n}.jsonl"
        options.host = "127.0.1.254"
        return options
    }

    @Test("each has a serial number, a seed, a file and a port of its own")
    func ports() throws {
        let first = try options().numbered(0, .ports)
        let tenth = try options().numbered(9, .ports)
        #expect(first.serialNumber == "ZKT0000000001" && tenth.serialNumber == "ZKT0000000010")
        #expect(first.port == 4_370 && tenth.port == 4_379)
        #expect(first.truthPath == "truth-1.jsonl" && tenth.truthPath == "truth-10.jsonl")
        #expect(first.mac == "00:17:61:00:00:01" && tenth.mac == "00:17:61:00:00:0a")
        #expect(first.seed != tenth.seed)
        #expect(throws: EmulatorError.self) { try options().numbered(62_000, .ports) }
    }

    @Test("or an address of its own; no address ends in 0 or 255")
    func addresses() throws {
        let second = try options().numbered(1, .addresses)
        #expect(second.host == "127.0.2.1" && second.port == 4_370)
        #expect(EmulatorOptions.address("255.255.255.254", after: 1) == nil)
        #expect(EmulatorOptions.address("::1", after: 1) == nil)
    }

    @Test(
        "serial numbers count on",
        arguments: [("A9", "A10"), ("A09", "A10"), ("A", "A1"), ("1999999999999999", "11000000000000000")])
    func serials(_ serial: String, _ expected: String) {
        #expect(EmulatorOptions.counted(serial, by: 1) == expected)
    }

    @Test("a line goes to all or to one")
    func lines() throws {
        let all = try #require(EmulatorFleet.addressee("rate 5/s"))
        #expect(all.number == nil && all.order == "rate 5/s")
        let seventh = try #require(EmulatorFleet.addressee("@7 punch 1001"))
        #expect(seventh.number == 7 && seventh.order == "punch 1001")
        #expect(EmulatorFleet.addressee("@x punch") == nil)
    }
}
