import DeviceKit
import DeviceKitTesting
import Foundation
import Journal
import Logging
import Synchronization
import Testing

@testable import MusterHost

@Suite("The supervisor's machine: commands")
struct SupervisorCommandMachineTests {
    @Test("a command waits for what the session does, and goes before a poll that is due")
    func order() throws {
        var run = try MachineRun.online()
        #expect(run.handle(.pollRequested) == [.poll])
        #expect(run.handle(.commandRequested, .pollRequested) == [])
        #expect(run.handle(.pollFinished) == [.command])
        #expect(run.handle(.operationFinished) == [.poll])
        #expect(run.handle(.pollFinished) == [])
    }

    @Test("a command opens a session where there is none, and is its first work")
    func connects() throws {
        var run = try MachineRun.online(capturing: false)
        #expect(run.machine.state == .idle)
        #expect(run.handle(.commandRequested) == [.open])
        #expect(run.handle(.opened) == [.command])
        #expect(run.handle(.operationFinished) == [.poll])
        #expect(run.handle(.pollFinished) == [.close])
        #expect(run.machine.state == .idle)
    }

    @Test("a command that waits for a session is forgotten with it")
    func forgotten() throws {
        var run = try MachineRun()
        run.handle(.started, .commandRequested)
        run.handle(.openFailed(DeviceFault(.refused, "refused")))
        #expect(run.handle(.pollRequested) == [.open])
        #expect(run.handle(.opened) == [.logBack(after: .zero), .startCapture, .poll])
    }

    @Test("nothing is begun on a device that is disabled, stopped or given up")
    func nothing() throws {
        var disabled = try MachineRun(enabled: false)
        #expect(disabled.handle(.started, .commandRequested) == [])
        var faulted = try MachineRun()
        faulted.handle(.started, .openFailed(DeviceFault(.badSettings, "no")))
        #expect(faulted.handle(.commandRequested) == [])
        var stopping = try MachineRun.online()
        stopping.handle(.stopRequested)
        #expect(stopping.handle(.commandRequested) == [])
    }

    @Test("a link that a command finds dead is closed")
    func dead() throws {
        var run = try MachineRun.online()
        #expect(run.handle(.commandRequested) == [.command])
        let actions = run.handle(.operationFailed(DeviceFault(.timedOut, "silent")))
        #expect(actions.first == .close)
    }
}

/// A door whose hinges a test holds.
private final class Hinges: Sendable {
    static let shared = Mutex<[String: Hinges]>([:])
    let begun = AsyncStream.makeStream(of: Duration.self)
    let gate = AsyncStream.makeStream(of: Void.self)
    let opens = Mutex(0)
    let cancelled = Mutex(0)
}

private struct DoorDriver: DeviceDriver {
    struct Settings: DriverSettings {
        static let door = Setting.string("door", "Which one.")
        static let schema = SettingsSchema(door)
        let hinges: Hinges?

        init(_ values: SettingsValues) throws(ConfigurationError) {
            let name = try values.value(Self.door)
            hinges = Hinges.shared.withLock { $0[name] }
        }
    }

    static let manifest = DriverManifest(
        id: "door", version: "1.0.0", summary: "For tests.", intakes: [.polling], capabilities: [.door])

    private let hinges: Hinges

    init(settings: Settings, context: DriverContext) throws(DeviceFault) {
        guard let hinges = settings.hinges else { throw DeviceFault(.badSettings, "no such door") }
        self.hinges = hinges
    }

    func open() async throws(DeviceFault) -> any DeviceSession {
        hinges.opens.withLock { $0 += 1 }
        return Session(hinges: hinges)
    }

    private struct Session: PollingSession, DoorControl {
        let hinges: Hinges
        let identity = DeviceIdentity(serialNumber: "D1")

        func poll(_ request: PollRequest) async throws(DeviceFault) -> PollPage {
            PollPage(records: [], cursor: Cursor(bytes: [1]))
        }

        func readDoor() async throws(DeviceFault) -> DoorState { .closed }

        /// Ends when the test lets it, or is cancelled.
        func unlockDoor(for duration: Duration) async throws(DeviceFault) -> String {
            hinges.begun.continuation.yield(duration)
            if duration == .seconds(99) { throw DeviceFault(.rejected, "the door is jammed") }
            for await _ in hinges.gate.stream { return "sent \(duration)" }
            hinges.cancelled.withLock { $0 += 1 }
            throw .cancelled
        }

        func close() async {}
    }
}

@Suite("The supervisor: commands", .timeLimit(.minutes(1)))
final class SupervisorCommandTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)").path
    private let name = UUID().uuidString
    private let hinges = Hinges()
    private let time = ManualTime()

    init() { Hinges.shared.withLock { $0[name] = hinges } }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        _ = Hinges.shared.withLock { $0.removeValue(forKey: name) }
    }

    private func withSupervisor(
        enabled: Bool = true, _ body: (Supervisor) async throws -> Void
    ) async throws {
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let services = try await HostServices(
            journal: try PunchJournal(DataDirectory(path: path)),
            drivers: DriverServices(
                time: time, random: SeededRandom(seed: 1), dialer: ScriptedDialer(), log: log),
            onFatal: { Issue.record("the journal failed: \($0)") })
        let device = HostConfiguration.Device(
            id: try #require(DeviceID("door")), name: "Door", location: nil, zone: .utc,
            driver: DriverRegistration(DoorDriver.self),
            settings: try DoorDriver.Settings.schema.values(["door": name]),
            schedule: .init(poll: PollSchedule(try CronSchedule("0 0 1 1 *")), window: .all, isCapturing: false),
            lifecycle: LifecycleTimers(), sinks: [], isEnabled: enabled)
        let supervisor = Supervisor(device, services: services)
        async let running: Void = supervisor.run()
        try await body(supervisor)
        supervisor.requestStop()
        await running
    }

    private func begun() async -> Duration? {
        for await duration in hinges.begun.stream { return duration }
        return nil
    }

    @Test("commands of several people are done one after the other, each answered with what came of it")
    func several() async throws {
        try await withSupervisor { supervisor in
            async let first = supervisor.perform(.unlockDoor(.seconds(1)))
            #expect(await begun() == .seconds(1))
            async let second = supervisor.perform(.unlockDoor(.seconds(99)))
            async let third = supervisor.perform(.readDoor)
            hinges.gate.continuation.yield()
            #expect(await first == .success(.done("sent 1.0 seconds")))
            #expect(await second == .failure(DeviceFault(.rejected, "the door is jammed")))
            #expect(await third == .success(.door(.closed)))
        }
    }

    @Test("what the driver does not offer is said, and the session goes on")
    func unsupported() async throws {
        try await withSupervisor { supervisor in
            let answer = await supervisor.perform(.playVoice(1))
            guard case .failure(let fault) = answer else { throw HarnessFailure() }
            #expect(fault.code == .unsupported)
            #expect(fault.message.contains("voice"))
            #expect(await supervisor.perform(.readDoor) == .success(.door(.closed)))
        }
    }

    private struct HarnessFailure: Error {}

    @Test("somebody who gives up cancels the work at the device")
    func cancelled() async throws {
        try await withSupervisor { supervisor in
            let asking = Task { await supervisor.perform(.unlockDoor(.seconds(1))) }
            #expect(await begun() == .seconds(1))
            asking.cancel()
            #expect(await asking.value == .failure(.cancelled))
            #expect(hinges.cancelled.withLock { $0 } == 1)
            #expect(await supervisor.perform(.readDoor) == .success(.door(.closed)))
        }
    }

    @Test("the end of the host ends what is under way and what waits")
    func stop() async throws {
        try await withSupervisor { supervisor in
            async let first = supervisor.perform(.unlockDoor(.seconds(1)))
            #expect(await begun() == .seconds(1))
            async let second = supervisor.perform(.readDoor)
            supervisor.requestStop()
            let outcomes = await [first, second]
            for outcome in outcomes { #expect(throws: DeviceFault.self) { try outcome.get() } }
            #expect(await supervisor.perform(.readDoor) == .failure(.cancelled))
        }
    }

    @Test("a disabled device does nothing")
    func disabled() async throws {
        try await withSupervisor(enabled: false) { supervisor in
            #expect(
                await supervisor.perform(.readDoor) == .failure(DeviceFault(.badSettings, "the device is disabled")))
        }
    }
}

@Suite("Commands on the control socket")
struct CommandMessageTests {
    static let commands: [DeviceCommand] = [
        .information, .options(["~OS", "LockOn"]), .readClock, .setClock(nil), .people,
        .putPerson(
            PersonChange(
                code: "1", name: "Zoe", privilege: .manager, isEnabled: false, card: .remove,
                password: .set(Secret("4711")), group: 3)),
        .putPerson(PersonChange(code: "2", card: .set("99"), password: .remove)), .deletePerson("3"),
        .readTemplates(nil), .readTemplates("4"),
        .saveTemplates([Template(code: "5", finger: 9, validity: .duress, algorithm: "10", bytes: [0, 255, 7])]),
        .deleteTemplates(code: "6", finger: nil), .deleteTemplates(code: "6", finger: 2),
        .enrol(EnrolmentRequest(code: "7", finger: 1, isDuress: true)), .readDoor, .unlockDoor(.seconds(5)),
        .playVoice(10), .showMessage("hello", line: 2), .clearMessage, .restart, .powerOff, .operations,
        .clearOperations(OperationLog.Mark(count: 3, newest: [0, 1])), .clearLog,
    ]

    @Test("arrive as they were sent", arguments: commands)
    func arrive(_ command: DeviceCommand) throws {
        let line = ControlCoding.line(CommandMessage(command)).dropLast()
        let read = try #require(ControlCoding.decode(Array(line), as: CommandMessage.self))
        #expect(read.command == command)
    }

    @Test("and so do their answers")
    func answers() throws {
        let time = try #require(LocalDateTime("2026-11-24 08:30:00"))
        let answers: [DeviceAnswer] = [
            .done(nil), .done("sent 30"),
            .information(
                DeviceInformation(
                    details: DeviceDetails(
                        identity: DeviceIdentity(serialNumber: "S"), options: [.init(name: "~OS", value: "1")]),
                    counts: DeviceCounts(), clock: ClockReading(shown: time, drift: -3))),
            .options([.init(name: "a", value: "b=c")]), .clock(ClockReading(shown: time, drift: 0)),
            .people([Person(code: "7", name: "Zoë", privilege: .manager, isEnabled: false, card: "9", group: 2)]),
            .person(.added), .templates([Template(code: "5", finger: 0, bytes: [1, 2])]), .removed(3), .door(.open),
            .operations(
                OperationLog(
                    entries: [OperationEntry(number: 21, name: "set the clock", localTime: time, raw: [1])],
                    rejected: [RejectedRecord(reason: "no date", bytes: [9])])),
            .cleared(ClearedLog(records: 9, new: 2)),
        ]
        for answer in answers {
            let line = ControlCoding.line(AnswerMessage(answer)).dropLast()
            #expect(ControlCoding.decode(Array(line), as: AnswerMessage.self)?.answer == answer)
        }
    }

    @Test("secrets and templates show themselves nowhere")
    func redacted() {
        let change = PersonChange(code: "1", password: .set(Secret("canary-4711")))
        let template = Template(code: "1", finger: 0, bytes: Array("canary-4711".utf8))
        for command in [DeviceCommand.putPerson(change), .saveTemplates([template])] {
            var dumped = ""
            dump(command, to: &dumped)
            #expect(!"\(command)\(String(reflecting: command))\(dumped)".contains("canary"))
            #expect(!"\(command)\(dumped)".contains("99, 97, 110"))
        }
    }
}
