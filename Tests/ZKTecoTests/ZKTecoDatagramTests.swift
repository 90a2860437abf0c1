import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// Loss and duplication of one in twenty, and reordering, in both directions.
private let badNetwork = DatagramFaults.Rates(loss: 0.05, duplication: 0.05, reordering: 0.05)

/// What both transports have in common is held to both by the other suites, over every ``Line``.
@Suite("The ZKTeco driver: UDP over a bad network")
struct ZKTecoDatagramTests {
    private static let udp = ["transport": "udp"]

    @Test(
        "20,000 records come whole through a network that loses, doubles and reorders, with numbers and without",
        arguments: [1, 2, 3], [true, false])
    func badWeather(_ seed: UInt64, _ numbersData: Bool) async throws {
        var options = EmulatorOptions()
        options.seed = seed
        options.records = 20_000
        options.people = 300
        options.numbersData = numbersData
        options.datagramFaults = badNetwork
        let terminal = try EmulatedTerminal(options)
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, Self.udp)
            let reading = try await Driving.read(session)
            #expect(Essence.differences(reading.records, terminal.truth) == [])
            #expect(reading.rejected.isEmpty && reading.resets.isEmpty)
            for _ in 0..<20 { terminal.handle(.punch(code: nil)) }
            let tail = try await Driving.read(session, after: reading.cursor)
            #expect(Essence.differences(tail.records, terminal.truth.suffix(20)) == [])
            await session.close()
        }
        #expect(terminal.lostDatagrams > 30)
    }

    @Test("the direct read of old terminals comes whole through it where frames are numbered")
    func direct() async throws {
        var options = EmulatorOptions()
        options.recordForm = .bytes16
        options.records = 3_000
        options.preparationRefusal = Reply.error
        options.numbersData = true
        options.datagramFaults = badNetwork
        let terminal = try EmulatedTerminal(options)
        let reading = try await terminal.whileTimePasses {
            try await Driving.read(try await Driving.open(terminal, Self.udp))
        }
        #expect(Essence.differences(reading.records, terminal.truth) == [])
    }

    @Test("a direct read that datagrams are missing from is an error, never a shorter log")
    func directLoss() async throws {
        var options = EmulatorOptions()
        options.recordForm = .bytes16
        options.records = 3_000
        options.preparationRefusal = Reply.error
        options.datagramFaults = badNetwork
        let terminal = try EmulatedTerminal(options)
        await #expect {
            try await terminal.whileTimePasses {
                _ = try await Driving.read(try await Driving.open(terminal, Self.udp))
            }
        } throws: { ($0 as? DeviceFault)?.code == .incomplete }
    }

    @Test("no event is lost that the terminal repeats, and none is taken twice for two")
    func events() async throws {
        var options = EmulatorOptions()
        options.datagramFaults = badNetwork
        options.eventRepeatInterval = .milliseconds(500)
        options.people = 500
        options.records = 0
        let terminal = try EmulatedTerminal(options)
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, Self.udp)
            let receiver = RecordingReceiver()
            let capture = Task { try? await session.capture(into: receiver) }
            await receiver.waitForSubscription()
            for _ in 0..<500 {
                terminal.handle(.punch(code: nil))
                try await terminal.time.sleep(for: .seconds(3))
            }
            try await terminal.time.sleep(for: .seconds(60))
            #expect(Set(receiver.durableRecords.map(Essence.init)) == Set(terminal.truth.map(Essence.init)))
            #expect(terminal.acknowledged == 500)
            #expect(terminal.eventsSent > 500)
            capture.cancel()
            _ = await capture.value
            await session.close()
        }
    }

    @Test("events that come in a heap are all there after the next poll")
    func burst() async throws {
        var options = EmulatorOptions()
        options.datagramFaults = badNetwork
        options.eventRepeatInterval = .milliseconds(500)
        options.people = 500
        options.records = 1_000
        let terminal = try EmulatedTerminal(options)
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, Self.udp)
            let before = try await Driving.read(session)
            let receiver = RecordingReceiver()
            let capture = Task { try? await session.capture(into: receiver) }
            await receiver.waitForSubscription()
            for _ in 0..<300 { terminal.handle(.punch(code: nil)) }
            try await terminal.time.sleep(for: .seconds(300))
            let new = Set(terminal.truth.suffix(300).map(Essence.init))
            let captured = Set(receiver.durableRecords.map(Essence.init))
            #expect(captured.isSubset(of: new))
            // An acknowledgement that came twice counts for the next event: such are lost to the capture, not to the poll.
            #expect(captured.count > 280)
            #expect(try await Driving.read(session, after: before.cursor).records.count == 300)
            capture.cancel()
            _ = await capture.value
            await session.close()
        }
    }

    @Test("a damaged datagram is dropped, and the request sent again")
    func damaged() async throws {
        let first = Counter(1)
        let log = RecordingLog()
        let terminal = try EmulatedTerminal()
        let dialer = TamperingDialer(terminal) { bytes, _ in
            var bytes = bytes
            if bytes.count > 50, first.take() { bytes[20] ^= 4 }
            return bytes
        }
        try await terminal.whileTimePasses {
            let context = DriverContext(
                device: try #require(DeviceID("front-door")), timeZone: .utc, time: terminal.time,
                random: SeededRandom(seed: 1), dialer: dialer, log: log)
            let driver = try ZKTecoDriver(settings: try Driving.settings(Self.udp), context: context)
            let session = try #require(try await driver.open() as? ZKTecoSession)
            #expect(try await Driving.read(session).records.count == 1_000)
            await session.close()
        }
        #expect(log.entries.contains { $0.message == "dropped a damaged datagram" })
    }
}
