import DeviceKit
import Foundation
import Synchronization
import Testing
import ZKTecoEmulator

/// The emulator against pyzk 0.9 from PyPI: an independent client decides whether we speak the protocol.
@Suite("pyzk against the emulator")
struct PyzkTests {
    struct Record: Decodable, Hashable {
        let uid: Int
        let code: String
        let localTime: String
        let verification: Int
        let state: Int
    }

    struct User: Decodable, Hashable {
        let uid: Int
        let code: String
        let name: String
        let privilege: Int
        let card: Int
    }

    /// Runs `body` beside an emulator; `records` are those that it held at the start.
    private func withEmulator<Value: Sendable>(
        _ options: EmulatorOptions, _ body: (EmulatorServer, [EmulatedRecord]) async throws -> Value
    ) async throws -> Value {
        let truth = FileManager.default.temporaryDirectory.appendingPathComponent("truth-\(UUID().uuidString).jsonl")
        defer { try? FileManager.default.removeItem(at: truth) }
        var options = options
        options.port = 0
        options.truthPath = truth.path
        let server = try await EmulatorServer.bind(options)
        let running = Task { try await server.run() }
        let lines = try Data(contentsOf: truth).split(separator: 0x0A)
        let records = try lines.map { try JSONDecoder().decode(EmulatedRecord.self, from: Data($0)) }
        do {
            let value = try await body(server, records)
            await server.stop()
            try await running.value
            return value
        } catch {
            await server.stop()
            _ = try? await running.value
            throw error
        }
    }

    private func pyzk<Value: Decodable>(
        _ server: EmulatorServer, _ action: String, key: UInt32 = 0, _ argument: String = "",
        over transport: Endpoint.Kind = .tcp, as type: Value.Type = Value.self
    ) async throws -> Value {
        let output = try await ChildProcess.run(
            PythonEnvironment.pyzkInterpreter(),
            [
                PythonEnvironment.script("pyzk_session"), "127.0.0.1", String(server.port), String(key), action,
                argument,
                transport.rawValue,
            ])
        guard output.status == 0 else { throw HarnessError("pyzk \(action): \(output.standardError)") }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: output.standardOutput)
    }

    @Test("reads who the terminal is, and its counts", arguments: [Endpoint.Kind.tcp, .udp])
    func info(over transport: Endpoint.Kind) async throws {
        struct Info: Decodable {
            let serial: String
            let platform: String
            let firmware: String
            let deviceName: String
            let mac: String
            let users: Int
            let records: Int
        }
        var options = EmulatorOptions()
        options.people = 7
        options.records = 30
        options.serialNumber = "SN-4711"
        let info: Info = try await withEmulator(options) { server, _ in
            try await pyzk(server, "info", over: transport)
        }
        #expect(info.serial == "SN-4711")
        #expect(info.platform == options.platform)
        #expect(info.firmware == options.firmware)
        #expect(info.deviceName == options.deviceName)
        #expect(info.mac == options.mac)
        #expect(info.users == 7 && info.records == 30)
    }

    @Test("stays in step through commands that answer without data", arguments: [Endpoint.Kind.tcp, .udp])
    func controls(over transport: Endpoint.Kind) async throws {
        struct Controls: Decodable {
            let disable: Bool
            let enable: Bool
            let unlock: Bool
            let missingTemplate: Bool
            let serialAfterwards: String
        }
        let outcome: Controls = try await withEmulator(EmulatorOptions()) { server, _ in
            try await pyzk(server, "controls", over: transport)
        }
        #expect(outcome.disable && outcome.enable && outcome.unlock && outcome.missingTemplate)
        #expect(outcome.serialAfterwards == EmulatorOptions().serialNumber)
    }

    @Test(
        "reads thousands of records of every form, field by field", arguments: ["8", "16", "40"],
        [Endpoint.Kind.tcp, .udp])
    func attendance(_ form: String, over transport: Endpoint.Kind) async throws {
        var options = EmulatorOptions()
        options.recordForm = try #require(EmulatedRecordForm(rawValue: form))
        options.records = 5_000
        let (read, truth) = try await withEmulator(options) { server, truth in
            (try await pyzk(server, "attendance", over: transport, as: [Record].self), truth)
        }
        let expected = truth.map {
            Record(
                uid: Int($0.uid), code: $0.code, localTime: $0.localTime.description,
                verification: Int($0.verification), state: Int($0.state))
        }
        #expect(read.count == 5_000)
        #expect(read == expected)
    }

    @Test("reads people of both table forms", arguments: [28, 72], [Endpoint.Kind.tcp, .udp])
    func users(_ byteCount: Int, over transport: Endpoint.Kind) async throws {
        var options = EmulatorOptions()
        options.userForm = EmulatedUserForm(rawValue: byteCount)
        options.people = 40
        let users: [User] = try await withEmulator(options) { server, _ in
            try await pyzk(server, "users", over: transport)
        }
        #expect(users.count == 40)
        #expect(Set(users.map(\.code)).count == 40)
        #expect(users.first?.privilege == 14)
        #expect(users.allSatisfy { !$0.name.isEmpty })
    }

    @Test("gets in with the right comm key and not with a wrong one", arguments: [Endpoint.Kind.tcp, .udp])
    func commKey(over transport: Endpoint.Kind) async throws {
        struct Refusal: Decodable { let refused: String }
        var options = EmulatorOptions()
        options.commKey = 123_456
        options.records = 3
        try await withEmulator(options) { server, _ in
            let records: [Record] = try await pyzk(server, "attendance", key: 123_456, over: transport)
            #expect(records.count == 3)
            let wrong: Refusal = try await pyzk(server, "attendance", key: 123_457, over: transport)
            #expect(wrong.refused.contains("Unauthenticated"))
            let none: Refusal = try await pyzk(server, "attendance", key: 0, over: transport)
            #expect(none.refused.contains("Unauthenticated"))
        }
    }

    @Test("sets the clock and reads it back", arguments: [Endpoint.Kind.tcp, .udp])
    func clock(over transport: Endpoint.Kind) async throws {
        let shown: String = try await withEmulator(EmulatorOptions()) { server, _ in
            try await pyzk(server, "clock", "2024-02-29 13:45:00", over: transport)
        }
        #expect(shown.hasPrefix("2024-02-29 13:45:0"))
    }

    @Test("writes, replaces and deletes a person", arguments: [Endpoint.Kind.tcp, .udp])
    func people(over transport: Endpoint.Kind) async throws {
        struct Outcome: Decodable {
            let written: [User]
            let replaced: [User]
            let beforeDelete: Int
            let afterDelete: Int
            let left: [User]
        }
        let outcome: Outcome = try await withEmulator(EmulatorOptions()) { server, _ in
            try await pyzk(server, "write-user", over: transport)
        }
        // Before it has read people, pyzk takes a terminal on UDP for one with names of 8 bytes.
        #expect(outcome.written.map(\.name) == [transport == .udp ? "Zoe Quin" : "Zoe Quinn"])
        #expect(outcome.written.first?.card == 12_345_678)
        #expect(outcome.replaced.map(\.name) == ["Zoe Marsh"])
        #expect(outcome.afterDelete == outcome.beforeDelete - 1)
        #expect(outcome.left.isEmpty)
    }

    @Test(
        "receives live events of every length that it knows", arguments: [12, 32, 36, 52],
        [Endpoint.Kind.tcp, .udp])
    func liveEvents(_ byteCount: Int, over transport: Endpoint.Kind) async throws {
        struct Live: Decodable {
            let events: [Record]
            let serialAfterwards: String
        }
        let subscribed = Subscription()
        var options = EmulatorOptions()
        options.eventByteCount = byteCount
        // pyzk takes one read for one event: the next must not come before it has acknowledged.
        options.eventRepeatInterval = .seconds(8)
        options.observer = { subscribed.observe($0) }
        let live: Live = try await withEmulator(options) { server, _ in
            async let outcome: Live = pyzk(server, "live", "5", over: transport)
            await subscribed.wait()
            for code in ["1001", "1002", "1003", "1004", "1005"] {
                #expect(await server.control(.punch(code: code)) == "")
            }
            return try await outcome
        }
        #expect(live.events.map(\.code) == ["1001", "1002", "1003", "1004", "1005"])
        #expect(live.serialAfterwards == EmulatorOptions().serialNumber)
        #expect(subscribed.acknowledged == 5)
    }
}

/// Hears when a client registers for events (500), and counts its acknowledgements.
final class Subscription: Sendable {
    private let stream = AsyncStream.makeStream(of: Void.self)
    private let count = Mutex(0)

    var acknowledged: Int { count.withLock { $0 } }

    func observe(_ observation: EmulatorObservation) {
        switch observation {
        case .request(_, 500): stream.continuation.yield()
        case .eventAcknowledged: count.withLock { $0 += 1 }
        default: break
        }
    }

    /// Returns when a registration has arrived. The terminal answers it before it takes the next input.
    func wait() async {
        for await _ in stream.stream { return }
    }
}
