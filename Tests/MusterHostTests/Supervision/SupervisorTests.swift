import DeviceKit
import DeviceKitTesting
import Foundation
import Journal
import Logging
import Synchronization
import Testing

@testable import MusterHost

/// A device whose log and captures a test writes.
final class ScriptedDevice: Sendable {
    private struct State {
        var log: [PunchRecord] = []
        var opens = 0
        var closes = 0
        var polls = 0
        var serial = "S1"
        var openFault: DeviceFault?
        var pollFault: DeviceFault?
        var hangs = false
        var isHanging = false
        var capture: AsyncThrowingStream<PunchRecord, any Error>.Continuation?
    }

    /// What the driver that the registry makes talks to.
    static let shared = Mutex<[String: ScriptedDevice]>([:])

    private let state = Mutex(State())
    let journaledAtAcknowledgement = Mutex<[Int]>([])
    let receiverCount = Mutex<(@Sendable () async -> Int)?>(nil)
    /// While there is one, a subscription waits for it; the second signal tells that it does.
    let gate = Mutex<(opens: ChangeSignal, isReached: ChangeSignal)?>(nil)

    var opens: Int { state.withLock { $0.opens } }
    var closes: Int { state.withLock { $0.closes } }
    var polls: Int { state.withLock { $0.polls } }
    var log: [PunchRecord] { state.withLock { $0.log } }

    func record(_ record: PunchRecord) { state.withLock { $0.log.append(record) } }
    func fail(with fault: DeviceFault?) { state.withLock { $0.openFault = fault } }
    /// Another one stands there from now on.
    func replace(by serial: String) { state.withLock { $0.serial = serial } }
    var serial: String { state.withLock { $0.serial } }
    func failPolls(with fault: DeviceFault?) { state.withLock { $0.pollFault = fault } }
    func hang() { state.withLock { $0.hangs = true } }
    var hangs: Bool { state.withLock { $0.hangs } }
    var isHanging: Bool { state.withLock { $0.isHanging } }

    func waitForEver() async {
        await withCheckedContinuation { (_: CheckedContinuation<Void, Never>) in state.withLock { $0.isHanging = true }
        }
    }

    /// Somebody punches: into the log, and to whoever captures.
    func punch(_ record: PunchRecord) {
        state.withLock { state in
            state.log.append(record)
            _ = state.capture?.yield(record)
        }
    }

    func breakLink() { state.withLock { $0.capture?.finish(throwing: DeviceFault(.connectionLost, "cut")) } }

    func open() throws(DeviceFault) {
        let fault = state.withLock { state in
            state.opens += 1
            return state.openFault
        }
        if let fault { throw fault }
    }

    func closed() {
        state.withLock { state in
            state.closes += 1
            state.capture?.finish()
            state.capture = nil
        }
    }

    func subscribe() -> AsyncThrowingStream<PunchRecord, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: PunchRecord.self)
        state.withLock { $0.capture = continuation }
        return stream
    }

    func page(after count: Int, limit: Int) throws(DeviceFault) -> [PunchRecord] {
        let (page, fault) = state.withLock { state in
            state.polls += 1
            return (Array(state.log.dropFirst(count).prefix(limit)), state.pollFault)
        }
        if let fault { throw fault }
        return page
    }
}

struct ScriptedDriver: DeviceDriver {
    struct Settings: DriverSettings {
        static let device = Setting.string("device", "Which one.")
        static let schema = SettingsSchema(device)
        let device: ScriptedDevice?

        init(_ values: SettingsValues) throws(ConfigurationError) {
            let name = try values.value(Self.device)
            device = ScriptedDevice.shared.withLock { $0[name] }
        }
    }

    static let manifest = DriverManifest(
        id: "scripted", version: "1", summary: "For tests.", intakes: [.polling, .capturing], capabilities: [])

    private let device: ScriptedDevice

    init(settings: Settings, context: DriverContext) throws(DeviceFault) {
        guard let device = settings.device else { throw DeviceFault(.badSettings, "no such device") }
        self.device = device
    }

    func open() async throws(DeviceFault) -> any DeviceSession {
        try device.open()
        return Session(device: device, identity: DeviceIdentity(serialNumber: device.serial))
    }

    private struct Session: PollingSession, CapturingSession {
        let device: ScriptedDevice
        let identity: DeviceIdentity

        func poll(_ request: PollRequest) async throws(DeviceFault) -> PollPage {
            // A driver that does not listen: it must not keep the host from ending.
            if device.hangs { await device.waitForEver() }
            let start = request.cursor.map { Int($0.bytes.first ?? 0) } ?? 0
            let records = try device.page(after: start, limit: min(request.limit, 100))
            let end = start + records.count
            return PollPage(
                records: records, cursor: Cursor(bytes: [UInt8(truncatingIfNeeded: end)]),
                hasMore: end < device.log.count)
        }

        func capture(into receiver: any PunchReceiver) async throws(DeviceFault) {
            if let gate = device.gate.withLock({ $0 }) {
                gate.isReached.send()
                try? await gate.opens.wait(since: 0)
            }
            let stream = device.subscribe()
            await receiver.subscribed()
            do {
                for try await record in stream {
                    try await receiver.receive(CaptureBatch(records: [record]))
                    if let count = device.receiverCount.withLock({ $0 }) {
                        let journaled = await count()
                        device.journaledAtAcknowledgement.withLock { $0.append(journaled) }
                    }
                }
            } catch let fault as DeviceFault {
                throw fault
            } catch {
                throw .cancelled
            }
        }

        func close() async { device.closed() }
    }
}

@Suite("The supervisor", .timeLimit(.minutes(1)))
final class SupervisorTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)").path
    private let name = UUID().uuidString
    private let device = ScriptedDevice()
    private let time = ManualTime()

    init() { ScriptedDevice.shared.withLock { $0[name] = device } }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        _ = ScriptedDevice.shared.withLock { $0.removeValue(forKey: name) }
    }

    private var silent: Logger {
        var log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        log.logLevel = .critical
        return log
    }

    private func services() async throws -> HostServices {
        try await HostServices(
            journal: try PunchJournal(DataDirectory(path: path)),
            drivers: DriverServices(
                time: time, random: SeededRandom(seed: 1), dialer: ScriptedDialer(), log: silent),
            onFatal: { Issue.record("the journal failed: \($0)") })
    }

    private func configured() throws -> HostConfiguration.Device {
        let registration = DriverRegistration(ScriptedDriver.self)
        return HostConfiguration.Device(
            id: try #require(DeviceID("lobby")), name: "Lobby", location: nil, zone: .utc, driver: registration,
            settings: try ScriptedDriver.Settings.schema.values(["device": name]),
            schedule: .init(poll: PollSchedule(try CronSchedule("*/5 * * * *")), window: .all, isCapturing: true),
            lifecycle: LifecycleTimers(), sinks: [], isEnabled: true)
    }

    private func record(_ second: Int64, code: String = "7") -> PunchRecord {
        PunchRecord(
            code: code, localTime: DeviceTimeZone.utc.localTime(at: time.now()).advanced(bySeconds: second - 1_000),
            direction: Direction(.in, raw: 0), verification: Verification(.card, raw: 4))
    }

    /// Waits for the journal to hold so many punches.
    private func waitForPunches(_ count: Int, in journal: PunchJournal) async throws {
        while true {
            let generation = journal.generation
            if try await journal.reader.count() >= count { return }
            try await journal.waitForChange(since: generation)
        }
    }

    @Test("reads the log, captures what comes, and has it in the journal before it is acknowledged")
    func capture() async throws {
        let services = try await services()
        for second in 0..<10 { device.record(record(Int64(second))) }
        let journal = services.journal
        device.receiverCount.withLock { $0 = { (try? await journal.reader.count()) ?? -1 } }
        let supervisor = Supervisor(try configured(), services: services)
        async let running: Void = supervisor.run()
        try await waitForPunches(10, in: services.journal)
        device.punch(record(20))
        try await waitForPunches(11, in: services.journal)
        device.punch(record(21))
        try await waitForPunches(12, in: services.journal)
        supervisor.requestStop()
        await running
        #expect(try await services.journal.reader.punches(limit: 20).map(\.punch.record) == device.log)
        // The second acknowledgement may be cut off by the stop; the punch is in the journal all the same.
        #expect([[11], [11, 12]].contains(device.journaledAtAcknowledgement.withLock { $0 }))
        #expect(device.opens == 1 && device.closes == 1)
    }

    @Test("reads the log only once captures are subscribed, so that nothing is punched unseen in between")
    func subscriptionFirst() async throws {
        let services = try await services()
        let (opens, isReached) = (ChangeSignal(), ChangeSignal())
        device.gate.withLock { $0 = (opens, isReached) }
        device.record(record(1))
        let supervisor = Supervisor(try configured(), services: services)
        async let running: Void = supervisor.run()
        try await isReached.wait(since: 0)
        for _ in 0..<100 { await Task.yield() }
        #expect(device.polls == 0)
        opens.send()
        try await waitForPunches(1, in: services.journal)
        // Whoever punches now is captured: the next poll is far away.
        device.punch(record(2))
        try await waitForPunches(2, in: services.journal)
        supervisor.requestStop()
        await running
        #expect(device.polls == 1)
    }

    @Test("reads what it missed after every reconnection")
    func reconnect() async throws {
        let services = try await services()
        let heard = HostEventQueue()
        services.events.add(heard)
        let supervisor = Supervisor(try configured(), services: services)
        async let running: Void = supervisor.run()
        device.punch(record(1))
        try await waitForPunches(1, in: services.journal)
        device.breakLink()
        device.record(record(2))
        device.record(record(3))
        // The back-off and nothing more: a clock that runs on would end the next session's opening.
        while await supervisor.currentStatus.state != "backing-off" { await Task.yield() }
        while time.timeToNextWake.map({ $0 > .seconds(10) }) ?? true { await Task.yield() }
        await time.advanceToNextWake()
        try await waitForPunches(3, in: services.journal)
        supervisor.requestStop()
        await running
        #expect(try await services.journal.reader.count() == 3)
        let status = try #require(try await services.journal.reader.status(for: try configured().id))
        #expect(status.identity.serialNumber == "S1")
        #expect(!status.isConnected)
        let told = heard.take().compactMap { entry -> DeviceEvent? in
            guard case .device(_, let event) = entry.event else { return nil }
            return event
        }
        #expect(told.contains(.wentAway(DeviceFault(.connectionLost, "cut"))))
        let away = try #require(
            told.compactMap { event -> Duration? in if case .cameBack(let away) = event { away } else { nil } }.first)
        #expect(told.contains(.recovered(after: away, punches: 2)))
        #expect(told.filter { $0 == .connected }.count == 2)
        #expect(
            told.compactMap { event -> String? in if case .entered(let state) = event { state } else { nil } }
                == ["catching-up", "online", "backing-off", "connecting", "catching-up", "online", "stopping"])
    }

    @Test("polls on request and says what it brought; a device that cannot be reached says why")
    func sync() async throws {
        let services = try await services()
        let supervisor = Supervisor(try configured(), services: services)
        async let running: Void = supervisor.run()
        device.record(record(1))
        _ = try await supervisor.sync().get()
        device.record(record(2))
        let summary = try await supervisor.sync().get()
        #expect(summary.journaled == 1 && summary.duplicates == 0)
        device.fail(with: DeviceFault(.refused, "switched off"))
        device.breakLink()
        while await supervisor.currentStatus.failuresInARow == 0 { await Task.yield() }
        #expect(await supervisor.sync() == .failure(DeviceFault(.refused, "switched off")))
        supervisor.requestStop()
        await running
    }

    @Test("answers a poll that is asked for while the host ends, and after", .timeLimit(.minutes(1)))
    func syncAtTheEnd() async throws {
        let supervisor = Supervisor(try configured(), services: try await services())
        supervisor.requestStop()
        async let early = supervisor.sync()
        await supervisor.run()
        #expect(await early == .failure(.cancelled))
        #expect(await supervisor.sync() == .failure(.cancelled))
    }

    @Test("ends although a driver hangs, after the time that closing may take")
    func hangingDriver() async throws {
        let services = try await services()
        device.hang()
        let supervisor = Supervisor(try configured(), services: services)
        let running = Task { await supervisor.run() }
        while !device.isHanging { await Task.yield() }
        supervisor.requestStop()
        // Among those who sleep now is the one who waits for the session to end.
        while time.timeToNextWake != SessionSlot.closeTimeout { await Task.yield() }
        time.advance(by: SessionSlot.closeTimeout)
        await running.value
        #expect(device.closes == 0)
    }

    @Test("a driver that promises more and brings nothing ends the poll", .timeLimit(.minutes(1)))
    func idlePages() async throws {
        struct Promising: PollingSession {
            let identity = DeviceIdentity()
            func close() async {}
            func poll(_ request: PollRequest) async throws(DeviceFault) -> PollPage {
                PollPage(records: [], cursor: request.cursor, hasMore: true)
            }
        }
        let poll = try await services().logPoll(for: try configured())
        await #expect {
            _ = try await poll.run(Promising())
        } throws: { ($0 as? DeviceFault)?.code == .malformed }
    }

    @Test("the first device is the trusted one before anything is taken from it")
    func firstContact() async throws {
        let services = try await services()
        let (opens, isReached) = (ChangeSignal(), ChangeSignal())
        device.gate.withLock { $0 = (opens, isReached) }
        let supervisor = Supervisor(try configured(), services: services)
        async let running: Void = supervisor.run()
        try await isReached.wait(since: 0)
        let lobby = try #require(DeviceID("lobby"))
        #expect(try await services.journal.reader.status(for: lobby)?.acceptedSerial == "S1")
        #expect(device.polls == 0)
        opens.send()
        supervisor.requestStop()
        await running
    }

    @Test("a poll on request that fails midway leaves the device trusted, and another one is held")
    func replacedAfterFailure() async throws {
        let services = try await services()
        let sync = DeviceSync(services)
        device.record(record(1))
        device.failPolls(with: DeviceFault(.timedOut, "silent"))
        #expect(try await sync.sync(try configured()).fault?.code == .timedOut)
        device.failPolls(with: nil)
        device.replace(by: "S2")
        let held = try await sync.sync(try configured())
        #expect(held.fault?.code == .deviceReplaced)
        #expect(held.fault?.message.contains("S2") == true && held.fault?.message.contains("S1") == true)
        #expect(device.polls == 1 && device.closes == 2)
        let lobby = try #require(DeviceID("lobby"))
        let status = try #require(try await services.journal.reader.status(for: lobby))
        #expect(status.acceptedSerial == "S1" && status.heldSerial == "S2")
        #expect(status.conditions[.deviceReplaced] != nil)
        device.replace(by: "S1")
        #expect(try await sync.sync(try configured()).synced == 1)
        #expect(try await services.journal.reader.status(for: lobby)?.conditions.all == [])
    }

    @Test("skips what was there before the first contact when the window says so, and nothing that came later")
    func window() async throws {
        let services = try await services()
        var configured = try configured()
        configured.schedule.window = .today
        device.record(record(-86_400))
        device.record(record(1))
        let sync = DeviceSync(services)
        let first = try await sync.sync(configured)
        #expect(first.synced == 1 && first.skipped == 1)
        // Two days later, after an outage: yesterday's punches are not skipped.
        time.advance(by: .seconds(2 * 86_400))
        device.record(record(-86_400, code: "8"))
        let second = try await sync.sync(configured)
        #expect(second.synced == 1 && second.skipped == 0)
    }

    @Test("a session that was opened beside a journal that cannot be is closed, and nothing is read")
    func journalFails() async throws {
        let reason = JournalError(.newerSchema, "made by a newer muster")
        let drivers = DriverServices(time: time, random: SeededRandom(seed: 1), dialer: ScriptedDialer(), log: silent)
        let sync = DeviceSync(drivers) { () async throws(JournalError) in throw reason }
        let device = try configured()
        await #expect(throws: reason) { _ = try await sync.sync([device]) }
        #expect(self.device.opens == 1 && self.device.closes == 1 && self.device.polls == 0)
    }
}
