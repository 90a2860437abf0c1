import DeviceKit
import DeviceKitTesting
import Synchronization
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

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
