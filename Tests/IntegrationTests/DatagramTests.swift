import DeviceKit
import DeviceKitTesting
import MusterHost
import Synchronization
import Testing
import ZKTecoDriver
import ZKTecoEmulator

/// The ZKTeco driver and the emulator over real UDP sockets, with a bad network between them.
@Suite("ZKTeco over UDP")
struct DatagramTests {
    private struct Key: Hashable {
        let code: String
        let time: LocalDateTime
    }

    /// What the emulator has recorded, and how many of its events were acknowledged.
    private final class Truth: Sendable {
        private struct State {
            var records: [EmulatedRecord] = []
            var sent = 0
        }

        private let state = Mutex(State())

        var records: [EmulatedRecord] { state.withLock { $0.records } }
        var sent: Int { state.withLock { $0.sent } }

        func observe(_ observation: EmulatorObservation) {
            state.withLock { state in
                switch observation {
                case .recorded(let record): state.records.append(record)
                case .eventSent: state.sent += 1
                default: break
                }
            }
        }
    }

    private static func driver(port: Int) throws -> ZKTecoDriver {
        let values = try ZKTecoSettings.schema.values([
            "address": "127.0.0.1", "port": String(port), "transport": "udp",
        ])
        let context = DriverContext(
            device: try #require(DeviceID("door")), timeZone: .utc, time: SystemTime(), random: SystemRandom(),
            dialer: SocketDialer(), log: SilentLog())
        return try ZKTecoDriver(settings: try ZKTecoSettings(values), context: context)
    }

    private static func read(
        _ session: any PollingSession, after start: Cursor?
    ) async throws -> (records: [PunchRecord], cursor: Cursor?) {
        var records: [PunchRecord] = []
        var cursor = start
        while true {
            let page = try await session.poll(PollRequest(cursor: cursor, limit: 2_000))
            records += page.records
            cursor = page.cursor
            if !page.hasMore { return (records, cursor) }
        }
    }

    @Test(
        "20,000 records and live events through 5 % loss, 5 % duplication and reordering both ways",
        arguments: [true, false])
    func badNetwork(_ numbersData: Bool) async throws {
        let truth = Truth()
        var options = EmulatorOptions()
        options.port = 0
        options.records = 20_000
        options.people = 300
        options.numbersData = numbersData
        options.datagramFaults = DatagramFaults.Rates(loss: 0.05, duplication: 0.05, reordering: 0.05)
        options.eventRepeatInterval = .milliseconds(150)
        options.observer = { truth.observe($0) }
        let server = try await EmulatorServer.bind(options)
        let running = Task { try await server.run() }
        let session = try await Self.driver(port: server.port).open()
        let polling = try #require(session as? any PollingSession)
        let (records, cursor) = try await Self.read(polling, after: nil)
        #expect(records.count == 20_000)
        #expect(Set(records.map { Key(code: $0.code, time: $0.localTime) }).count == 20_000)

        let receiver = RecordingReceiver()
        let capturing = try #require(session as? any CapturingSession)
        let capture = Task { try? await capturing.capture(into: receiver) }
        await receiver.waitForSubscription()
        for _ in 0..<50 {
            _ = await server.control(.punch(code: nil))
            try await Task.sleep(for: .milliseconds(60))
        }
        try await Task.sleep(for: .seconds(2))
        let new = Set(truth.records.map { Key(code: $0.code, time: $0.localTime) })
        let captured = Set(receiver.durableRecords.map { Key(code: $0.code, time: $0.localTime) })
        #expect(new.count == 50)
        #expect(captured.isSubset(of: new))
        // An acknowledgement too many lets the terminal take the next event for acknowledged: then the poll brings it.
        #expect(captured.count >= 48)
        #expect(truth.sent > 50)
        let (polled, _) = try await Self.read(polling, after: cursor)
        #expect(Set(polled.map { Key(code: $0.code, time: $0.localTime) }) == new)
        capture.cancel()
        _ = await capture.value
        await session.close()
        await server.stop()
        try await running.value
    }

    @Test("a port that nobody listens on over UDP is refused at once, and both reasons are said")
    func nobody() async throws {
        let values = try ZKTecoSettings.schema.values(["address": "127.0.0.1", "port": "9", "timeout": "2s"])
        let context = DriverContext(
            device: try #require(DeviceID("door")), timeZone: .utc, time: SystemTime(), random: SystemRandom(),
            dialer: SocketDialer(), log: SilentLog())
        let driver = try ZKTecoDriver(settings: try ZKTecoSettings(values), context: context)
        await #expect {
            _ = try await driver.open()
        } throws: { error in
            let fault = error as? DeviceFault
            return fault?.code == .refused && fault?.message.contains("over TCP") == true
                && fault?.message.contains("over UDP") == true
        }
    }
}
