import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

@Suite("The ZKTeco driver: captures")
struct ZKTecoCaptureTests {
    /// A session that captures into a receiver, and what ends it.
    private func withCapture(
        _ terminal: EmulatedTerminal, over line: Line = .tcp,
        _ body: @Sendable (ZKTecoSession, RecordingReceiver) async throws -> Void
    ) async throws {
        try await line.session(terminal) { session in
            let receiver = RecordingReceiver()
            let capture = Task { try? await session.capture(into: receiver) }
            await receiver.waitForSubscription()
            try await body(session, receiver)
            capture.cancel()
            await capture.value
        }
    }

    @Test("receives events of every length", arguments: EmulatorOptions.eventByteCounts.sorted(), Line.transports)
    func lengths(_ byteCount: Int, _ line: Line) async throws {
        var options = EmulatorOptions()
        options.eventByteCount = byteCount
        let terminal = try line.terminal(options)
        try await withCapture(terminal, over: line) { _, receiver in
            let before = terminal.truth.count
            for code in ["1001", "1002", "1003"] { terminal.handle(.punch(code: code)) }
            await receiver.waitForDurable(records: 3)
            #expect(Essence.differences(receiver.durableRecords, terminal.truth.dropFirst(before)) == [])
        }
        #expect(terminal.acknowledged == 3)
    }

    @Test(
        "takes 1,000 events of one burst, and acknowledges each one only when it is durable",
        arguments: [Line.tcp, .tcpJoined, .tcpInPieces, .udp])
    func burst(_ line: Line) async throws {
        var options = EmulatorOptions()
        options.people = 1_000
        options.records = 0
        let terminal = try line.terminal(options)
        try await withCapture(terminal, over: line) { _, receiver in
            receiver.hold()
            terminal.handle(.burst(1_000))
            await receiver.waitForArrival(ofRecords: 1)
            #expect(terminal.acknowledged == 0)
            receiver.release()
            await receiver.waitForDurable(records: 1_000)
            #expect(Essence.differences(receiver.durableRecords, terminal.truth) == [])
        }
        #expect(terminal.acknowledged == 1_000)
    }

    @Test("what is not durable is not acknowledged", arguments: Line.transports)
    func failing(_ line: Line) async throws {
        let terminal = try line.terminal()
        try await line.session(terminal) { session in
            let receiver = RecordingReceiver()
            receiver.fail(with: .cancelled)
            let capture = Task { await Self.fault(of: session, capturingInto: receiver) }
            await receiver.waitForSubscription()
            terminal.handle(.punch(code: "1001"))
            #expect(await capture.value?.kind == .cancelled)
        }
        #expect(terminal.acknowledged == 0)
    }

    private static func fault(
        of session: ZKTecoSession, capturingInto receiver: RecordingReceiver
    ) async -> DeviceFault? {
        do throws(DeviceFault) {
            try await session.capture(into: receiver)
            return nil
        } catch {
            return error
        }
    }

    @Test("polls and reads the clock while events arrive", arguments: [Line.tcpJoined, .udp, .udpNumbered])
    func besidePolls(_ line: Line) async throws {
        var options = EmulatorOptions()
        options.records = 5_000
        let terminal = try line.terminal(options)
        try await withCapture(terminal, over: line) { session, receiver in
            var cursor: Cursor?
            var polled: [PunchRecord] = []
            while true {
                terminal.handle(.punch(code: nil))
                let page = try await session.poll(PollRequest(cursor: cursor, limit: 1_000))
                _ = try await session.readClock()
                polled += page.records
                cursor = page.cursor
                if !page.hasMore { break }
            }
            let captured = terminal.truth.count - 5_000
            await receiver.waitForDurable(records: captured)
            #expect(receiver.durableRecords.count == captured)
            #expect(
                Set(polled.map(Essence.init)).union(receiver.durableRecords.map(Essence.init)).count
                    == terminal.truth.count)
        }
    }

    @Test("an event of unknown length is kept raw, acknowledged, and the capture goes on", arguments: Line.transports)
    func unknownLength(_ line: Line) async throws {
        let isFirst = Counter(1)
        let terminal = try line.terminal(
            tamper: { packet in
                guard packet.code == Command.registerEvents, isFirst.take() else { return packet }
                var odd = packet
                odd.payload = [1, 2, 3]
                return odd
            })
        try await withCapture(terminal, over: line) { _, receiver in
            terminal.handle(.punch(code: "1001"))
            terminal.handle(.punch(code: "1002"))
            await receiver.waitForDurable(records: 1)
            #expect(receiver.durable.flatMap(\.rejected).map(\.bytes) == [[1, 2, 3]])
            #expect(receiver.durableRecords.map(\.code) == ["1002"])
        }
        #expect(terminal.acknowledged == 2)
    }

    @Test("unsubscribes when it is cancelled, and ends when the link breaks")
    func ending() async throws {
        let terminal = try EmulatedTerminal()
        try await withCapture(terminal) { _, _ in }
        #expect(terminal.requests.filter { $0 == Command.registerEvents }.count == 2)

        let session = try await Driving.open(terminal)
        let receiver = RecordingReceiver()
        let capture = Task { await Self.fault(of: session, capturingInto: receiver) }
        await receiver.waitForSubscription()
        terminal.handle(.drop)
        #expect(await capture.value?.code == .connectionLost)
        await session.close()
    }

    @Test("keeps the contract of drivers", arguments: Line.transports)
    func conformance(_ line: Line) async throws {
        let settings = try Driving.settings(line.settings)
        let device = try #require(DeviceID("front-door"))
        let conformance = DriverConformance<ZKTecoDriver>(settings: settings) {
            var options = EmulatorOptions()
            options.records = 100
            options.people = 30
            // Options of this kind make a terminal in every case.
            guard let terminal = try? line.terminal(options) else { preconditionFailure("no terminal") }
            let context = DriverContext(
                device: device, timeZone: .utc, time: terminal.time, random: SeededRandom(seed: 1),
                dialer: terminal, log: SilentLog())
            return ConformanceBench(
                context: context, log: { await Self.log(of: terminal) },
                punch: { terminal.handle(.punch(code: nil)) }, acknowledgedCount: { terminal.acknowledged })
        }
        let report = await conformance.run()
        #expect(report.failures.isEmpty, "\(report)")
    }

    /// The truth as the driver should give it, through the codec that the vectors hold.
    private static func log(of terminal: EmulatedTerminal) async -> [PunchRecord] {
        terminal.truth.map { record in
            let attendance = AttendanceRecord(
                uid: record.uid, code: record.code, time: record.localTime, verification: record.verification,
                state: record.state, workCode: record.workCode)
            return RecordMapping.punch(
                attendance, code: record.code, layout: .bytes40, bytes: RecordLayout.bytes40.encode(attendance)[...])
        }
    }
}
