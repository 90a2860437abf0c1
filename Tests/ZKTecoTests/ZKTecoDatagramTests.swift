import DeviceKit
import DeviceKitTesting
import Synchronization
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// Loss and duplication of one in twenty, and reordering, in both directions.
private let badNetwork = DatagramFaults.Rates(loss: 0.05, duplication: 0.05, reordering: 0.05)

@Suite("The ZKTeco driver: UDP")
struct ZKTecoDatagramTests {
    private static let udp = ["transport": "udp"]

    @Test(
        "reads every record of every form, whether or not frames are numbered", arguments: EmulatedRecordForm.allCases,
        [true, false])
    func forms(_ form: EmulatedRecordForm, _ numbersData: Bool) async throws {
        var options = EmulatorOptions()
        options.recordForm = form
        options.records = 5_000
        options.people = 200
        options.numbersData = numbersData
        let terminal = try EmulatedTerminal(options)
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, Self.udp)
            let reading = try await Driving.read(session)
            #expect(Essence.differences(reading.records, terminal.truth) == [])
            #expect(reading.rejected.isEmpty && reading.resets.isEmpty)
            #expect(try await session.readPeople().count == 200)
            await session.close()
        }
        #expect(terminal.endpoints.map(\.kind) == [.udp])
        #expect(terminal.requests.last == Command.exit)
    }

    @Test(
        "reads small logs, empty ones, and those that end with a datagram", arguments: [0, 1, 25, 26, 409, 410, 1_637])
    func sizes(_ count: Int) async throws {
        var options = EmulatorOptions()
        options.records = count
        let terminal = try EmulatedTerminal(options)
        let reading = try await terminal.whileTimePasses {
            try await Driving.read(try await Driving.open(terminal, Self.udp), limit: 100)
        }
        #expect(Essence.differences(reading.records, terminal.truth) == [])
    }

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

    @Test(
        "old terminals that know the direct read only are read through it, numbered or not", arguments: [true, false])
    func direct(_ numbersData: Bool) async throws {
        var options = EmulatorOptions()
        options.recordForm = .bytes16
        options.records = 3_000
        options.preparationRefusal = Reply.error
        options.numbersData = numbersData
        // What is not numbered has to come through twice without a loss.
        if numbersData { options.datagramFaults = badNetwork }
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

    @Test("keeps the contract of drivers over UDP")
    func conformance() async throws {
        let settings = try Driving.settings(Self.udp)
        let device = try #require(DeviceID("front-door"))
        let conformance = DriverConformance<ZKTecoDriver>(settings: settings) {
            var options = EmulatorOptions()
            options.records = 100
            options.people = 30
            guard let terminal = try? EmulatedTerminal(options) else { preconditionFailure("no terminal") }
            let context = DriverContext(
                device: device, timeZone: .utc, time: terminal.time, random: SeededRandom(seed: 1),
                dialer: terminal, log: SilentLog())
            return ConformanceBench(
                context: context, log: { await ZKTecoCaptureTests.log(of: terminal) },
                punch: { terminal.handle(.punch(code: nil)) }, acknowledgedCount: { terminal.acknowledged })
        }
        let report = await conformance.run()
        #expect(report.failures.isEmpty, "\(report)")
    }
}

@Suite("The ZKTeco driver: transports")
struct ZKTecoTransportTests {
    private static func driver(_ dialer: any Dialer, _ time: ManualTime, _ choice: String = "auto") throws
        -> ZKTecoDriver
    {
        try ZKTecoDriver(
            settings: try Driving.settings(["transport": choice]), context: try Driving.context(dialer, time))
    }

    @Test("auto tries TCP first, then UDP, and remembers what worked for an hour")
    func remembers() async throws {
        var options = EmulatorOptions()
        options.transports = .udp
        let terminal = try EmulatedTerminal(options)
        let driver = try Self.driver(terminal, terminal.time)
        try await terminal.whileTimePasses {
            for _ in 0..<2 { await (try await driver.open()).close() }
            #expect(terminal.endpoints.map(\.kind) == [.tcp, .udp, .udp])
            try await terminal.time.sleep(for: .seconds(3_601))
            await (try await driver.open()).close()
            #expect(terminal.endpoints.map(\.kind) == [.tcp, .udp, .udp, .tcp, .udp])
        }
    }

    @Test("where neither works both reasons are said, and what happens next is decided by TCP's")
    func neither() async throws {
        let time = ManualTime()
        let link = ScriptedTransport([.expect(Self.connect.bytes), .stall])
        let dialer = ScriptedDialer([.fault(DeviceFault(.refused, "192.0.2.1:4370 refuses")), .link(link)])
        let driver = try Self.driver(dialer, time)
        let opening = Task { () -> DeviceFault? in
            do throws(DeviceFault) {
                _ = try await driver.open()
                return nil
            } catch {
                return error
            }
        }
        let clock = Task { while !Task.isCancelled { await time.advanceToNextWake() } }
        let fault = await opening.value
        clock.cancel()
        #expect(fault?.code == .refused)
        #expect(fault?.message.contains("over TCP: 192.0.2.1:4370 refuses") == true)
        #expect(fault?.message.contains("over UDP: nothing answers") == true)
        #expect(dialer.endpoints.map(\.kind) == [.tcp, .udp])
        #expect(link.isClosed)
    }

    @Test("a terminal that refuses the comm key is not asked over another transport")
    func refusal() async throws {
        var options = EmulatorOptions()
        options.commKey = 5
        let terminal = try EmulatedTerminal(options)
        await #expect {
            _ = try await Self.driver(terminal, terminal.time).open()
        } throws: { ($0 as? DeviceFault)?.code == .unauthorised }
        #expect(terminal.endpoints.map(\.kind) == [.tcp])
    }

    @Test("a terminal that closes the connection before it has answered is held by another system")
    func heldByAnother() async throws {
        var options = EmulatorOptions()
        options.allowsOneConnection = true
        let terminal = try EmulatedTerminal(options)
        let first = try await Driving.open(terminal, ["transport": "tcp"])
        await #expect {
            _ = try await Driving.open(terminal, ["transport": "tcp"])
        } throws: { error in
            let fault = error as? DeviceFault
            return fault?.code == .busy && fault?.message.contains("one client at a time") == true
        }
        await first.close()
    }

    @Test("a request is sent again with the same bytes while nothing answers, if doing it twice does no harm")
    func repetition() async throws {
        let time = ManualTime()
        let request = Packet(code: Command.timeRead, session: 0, replyNumber: 0).bytes
        let answer = Packet(code: Reply.ok, session: 9, replyNumber: 0, payload: [1, 2, 3, 4])
        let transport = ScriptedTransport([.expect(request), .expect(request), .expect(request), .reply(answer.bytes)])
        let link = ZKTecoLink(transport, over: .udp, time: time, log: SilentLog())
        link.start()
        let asking = Task { try await link.request(Command.timeRead, within: .seconds(10)) }
        let clock = Task { while !Task.isCancelled { await time.advanceToNextWake() } }
        #expect(try await asking.value == answer)
        clock.cancel()
        await link.close()
    }

    @Test(
        "what must not be done twice is sent once",
        arguments: [Command.userWrite, Command.data, Command.saveUserTemplates, Command.unlock, Command.timeWrite, 1])
    func once(_ code: UInt16) async throws {
        let time = ManualTime()
        let transport = ScriptedTransport([.expect(Packet(code: code, session: 0, replyNumber: 0).bytes), .stall])
        let link = ZKTecoLink(transport, over: .udp, time: time, log: SilentLog())
        link.start()
        let asking = Task { try await link.request(code, within: .seconds(10)) }
        let clock = Task { while !Task.isCancelled { await time.advanceToNextWake() } }
        await #expect {
            _ = try await asking.value
        } throws: { ($0 as? DeviceFault)?.code == .timedOut }
        clock.cancel()
        #expect(time.uptime() == .seconds(10))
        await link.close()
    }

    @Test(
        "a terminal that was restarted and knows the session no more is a lost connection", arguments: ["tcp", "udp"])
    func restarted(_ transport: String) async throws {
        let forgets = Mutex(false)
        let terminal = try EmulatedTerminal(
            tamper: { packet in
                guard forgets.withLock({ $0 }) else { return packet }
                return Packet(code: Reply.unauthorised, session: 0, replyNumber: packet.replyNumber)
            })
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, ["transport": transport])
            forgets.withLock { $0 = true }
            await #expect {
                try await session.keepAlive()
            } throws: { ($0 as? DeviceFault)?.code == .connectionLost }
            await session.close()
        }
    }

    @Test("over UDP the keep-alive renews the subscription")
    func keepAlive() async throws {
        let terminal = try EmulatedTerminal()
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, ["transport": "udp"])
            let receiver = RecordingReceiver()
            let capture = Task { try? await session.capture(into: receiver) }
            await receiver.waitForSubscription()
            try await session.keepAlive()
            #expect(terminal.requests.filter { $0 == Command.registerEvents }.count >= 2)
            terminal.handle(.punch(code: "1001"))
            await receiver.waitForDurable(records: 1)
            capture.cancel()
            _ = await capture.value
            await session.close()
        }
    }

    private static let connect = Packet(code: Command.connect, session: 0, replyNumber: 0)
}

@Suite("Datagrams put together")
struct ChunkAssemblyTests {
    private static let piece = 8

    /// The frames of an answer, numbered from `base` or all alike.
    private static func frames(_ bytes: [UInt8], numbersFrom base: Int?) -> [Packet] {
        stride(from: 0, to: bytes.count, by: piece).enumerated().map { index, start in
            Packet(
                code: Command.data, session: UInt16(base.map { $0 + index } ?? 7), replyNumber: 1,
                payload: Array(bytes[start..<min(start + piece, bytes.count)]))
        }
    }

    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) } }

    private func assemble(_ frames: [Packet], _ count: Int) -> ChunkAssembly {
        var assembly = ChunkAssembly(byteCount: count)
        for frame in frames { assembly.add(frame) }
        return assembly
    }

    @Test("numbered frames in any order, some twice, are the bytes that were sent")
    func anyOrder() {
        var random = SplitMix64(seed: 11)
        for count in 1...70 {
            let bytes = Self.bytes(count)
            let frames = Self.frames(bytes, numbersFrom: 0)
            let arriving = (frames + frames.prefix(2)).shuffled(using: &random)
            guard case .whole(let whole, _) = assemble(arriving, count).outcome(.unknown) else {
                Issue.record("\(count) bytes did not come together")
                continue
            }
            #expect(whole == bytes)
        }
    }

    @Test("without numbers, or with others than from 0, several frames are never taken for a whole")
    func noNumbers() {
        let bytes = Self.bytes(60)
        for base in [nil, 1, 2, 40_000] {
            let frames = Self.frames(bytes, numbersFrom: base)
            #expect(assemble(frames, 60).outcome(.unknown) == .unnumbered(frameByteCount: Self.piece))
            // One lost and another one twice: the count alone would not tell.
            let damaged = frames.dropLast(2) + [frames[0]] + frames.suffix(1)
            guard case .whole = assemble(Array(damaged), 60).outcome(.unknown) else { continue }
            Issue.record("a damaged answer was taken")
        }
    }

    @Test("what is missing is known once the terminal is known to number, and is nothing before")
    func missing() {
        let bytes = Self.bytes(60)
        let frames = Self.frames(bytes, numbersFrom: 0)
        let partial = assemble([frames[1], frames[7], frames[4]], 60)
        #expect(partial.outcome(.unknown) == .nothing)
        #expect(
            partial.outcome(.numbered(frameByteCount: Self.piece))
                == .parts([8: Array(bytes[8..<16]), 56: Array(bytes[56..<60]), 32: Array(bytes[32..<40])]))
        // The short last frame alone tells no length.
        #expect(
            assemble([frames[7]], 60).outcome(.numbered(frameByteCount: Self.piece))
                == .parts([56: Array(bytes[56...])]))
        #expect(assemble([frames[7]], 60).outcome(.unknown) == .nothing)
    }

    @Test("no bytes of any kind make more or less than was asked for")
    func anything() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<2_000 {
            let count = Int.random(in: 1...64, using: &random)
            let frames = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                Packet(
                    code: Command.data, session: UInt16.random(in: 0...5, using: &random), replyNumber: 1,
                    payload: Self.bytes(Int.random(in: 0...20, using: &random)))
            }
            for numbering in [ChunkAssembly.Numbering.unknown, .numbered(frameByteCount: 8)] {
                switch assemble(frames, count).outcome(numbering) {
                case .whole(let bytes, _): #expect(bytes.count == count)
                case .parts(let parts):
                    #expect(parts.allSatisfy { $0.key >= 0 && $0.key + $0.value.count <= count })
                case .unnumbered, .nothing: break
                }
            }
        }
    }
}

@Suite("Waiting over UDP")
struct RepetitionTests {
    @Test("patience follows the answers, within its bounds")
    func patience() {
        var estimate = RoundTripEstimate()
        #expect(estimate.patience == RoundTripEstimate.initialPatience)
        for _ in 0..<50 { estimate.measured(.milliseconds(2)) }
        #expect(estimate.patience == RoundTripEstimate.shortestPatience)
        for _ in 0..<50 { estimate.measured(.milliseconds(300)) }
        #expect(estimate.patience > .milliseconds(290) && estimate.patience < .milliseconds(600))
        estimate.measured(.seconds(100))
        #expect(estimate.patience == Repetition.longestPatience)
    }

    @Test("a copy of an event is acknowledged again only when the first acknowledgement may be lost")
    func acknowledgements() {
        let (one, two) = (
            Packet(code: 500, session: 1, replyNumber: 0, payload: [1]),
            Packet(code: 500, session: 1, replyNumber: 0, payload: [2])
        )
        var acknowledgement = EventAcknowledgement()
        #expect(acknowledgement.due([one, one], now: .zero, patience: .seconds(1)) == 1)
        #expect(acknowledgement.due([two, one], now: .milliseconds(500), patience: .seconds(1)) == 1)
        #expect(acknowledgement.due([one, two], now: .milliseconds(1_000), patience: .seconds(1)) == 1)
        #expect(acknowledgement.due([two], now: .milliseconds(1_500), patience: .seconds(1)) == 1)
    }
}
