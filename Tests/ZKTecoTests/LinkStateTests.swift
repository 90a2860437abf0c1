import DeviceKit
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoWire

@Suite("The state of a link to a terminal")
struct LinkStateTests {
    /// The same state from one expectation to the next.
    private final class Bench {
        var state = LinkState()

        func begin() -> UInt16 { state.begin(Command.readBuffer, []).replyNumber }
        func keep(_ packet: Packet, inOrder: Bool = true) -> Bool { state.keepAnswer(packet, inOrder: inOrder) }
        func keepSensor(_ packet: Packet) -> Bool { state.keepSensorEvent(packet) }
    }

    private static func packet(_ code: UInt16, _ number: UInt16, session: UInt16 = 7) -> Packet {
        Packet(code: code, session: session, replyNumber: number)
    }

    @Test("an answer carries the reply number of the request that is under way; any other is late")
    func answers() {
        let bench = Bench()
        #expect(!bench.keep(Self.packet(Reply.ok, 0)))
        let first = bench.begin()
        #expect(first == 0)
        #expect(bench.keep(Self.packet(Reply.ok, 0)))
        let second = bench.begin()
        #expect(second == 1 && bench.state.answers.isEmpty)
        #expect(!bench.keep(Self.packet(Reply.ok, 0)))
        #expect(bench.state.wasDisturbed)
        bench.state.endExchange()
        #expect(!bench.keep(Self.packet(Reply.ok, 1)))
    }

    @Test("reply numbers go from 65534 to 0")
    func numbers() {
        let bench = Bench()
        let numbers = (0..<65_537).map { _ in bench.begin() }
        #expect(numbers.first == 0 && numbers[65_534] == 65_534 && numbers[65_535] == 0 && numbers.last == 1)
    }

    @Test("over TCP data with a foreign header belongs between PREPARE_DATA and ACK_OK, and nowhere else")
    func foreignData() {
        let foreign = Self.packet(Command.data, 60_000, session: 0xBEEF)
        let bench = Bench()
        let number = bench.begin()
        #expect(!bench.keep(foreign))
        #expect(bench.keep(Self.packet(Command.prepareData, number)))
        #expect(bench.keep(foreign) && bench.keep(foreign))
        #expect(!bench.keep(Self.packet(Reply.ok, 60_000)))
        #expect(bench.keep(Self.packet(Reply.ok, number)))
        #expect(!bench.keep(foreign))
        // What is left of a read that was given up does not reach the next one.
        _ = bench.keep(Self.packet(Command.prepareData, number))
        _ = bench.begin()
        #expect(!bench.keep(foreign))
    }

    @Test("over UDP, where anything may be overtaken, only the reply number counts")
    func foreignDatagrams() {
        let bench = Bench()
        let number = bench.begin()
        #expect(bench.keep(Self.packet(Command.prepareData, number), inOrder: false))
        #expect(!bench.keep(Self.packet(Command.data, 60_000), inOrder: false))
    }

    @Test("events are kept for a capture only, and those of the sensor for an enrolment, 64 of them")
    func events() {
        let bench = Bench()
        let punch = Self.packet(Command.registerEvents, 0, session: EventFlag.attendance)
        let finger = Self.packet(Command.registerEvents, 0, session: EventFlag.finger)
        bench.state.keepEvent(punch)
        #expect(bench.state.events.isEmpty && !bench.keepSensor(finger))
        bench.state.isCapturing = true
        bench.state.keepEvent(punch)
        #expect(bench.state.events == [punch] && !bench.state.isFull)
        bench.state.sensorEvents = []
        #expect(!bench.keepSensor(punch))
        for _ in 0..<70 { #expect(bench.keepSensor(finger)) }
        #expect(bench.state.sensorEvents?.count == 64)
        for _ in 1..<LinkState.eventCapacity { bench.state.keepEvent(punch) }
        #expect(bench.state.isFull)
        bench.state.ending = .cancelled
        #expect(!bench.state.isFull)
    }
}
