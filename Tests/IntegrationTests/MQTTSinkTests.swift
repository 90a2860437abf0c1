import DeviceKit
import DeviceKitTesting
import Foundation
import Testing

@testable import Sinks

@Suite("The MQTT sink, against mosquitto", .timeLimit(.minutes(1)))
struct MQTTSinkTests {
    private func sink(
        _ server: MosquittoServer, memory: any SinkMemory = VolatileMemory(), _ texts: [String: String] = [:]
    ) throws -> MQTTSink {
        let own = ["host": "127.0.0.1", "port": String(server.port), "site": "plant-2"].merging(texts) { $1 }
        return try MQTTSink(
            settings: try MQTTSettings(try MQTTSettings.schema.values(own)),
            context: SinkContext(
                name: "broker", baseDirectory: "/", time: SystemTime(), log: SilentLog(), memory: memory))
    }

    /// A broker takes a moment to listen after its start.
    private func open(_ sink: MQTTSink) async throws {
        for attempt in 0... {
            do {
                return try await sink.open()
            } catch {
                guard attempt < 100, error.kind == .transient else { throw error }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func report(_ name: String, isConnected: Bool, isEnabled: Bool = true) throws -> DeviceReport {
        var report = DeviceReport(
            device: try #require(DeviceID(name)), name: name, state: isConnected ? "online" : "away")
        report.isConnected = isConnected
        report.isEnabled = isEnabled
        return report
    }

    @Test("punches arrive in their order, each with its key")
    func punches() async throws {
        try await MosquittoServer.with { server in
            let sink = try sink(server)
            try await open(sink)
            let batch = try (0..<500).map { try webPunch(Int64($0 + 1), "08:\(10 + $0 / 60):\(10 + $0 % 50)") }
            let lines = try await server.messages("muster/plant-2/punch", count: 500) {
                _ = try await sink.deliver(batch)
            }
            await sink.close()
            let bodies = try lines.map { line in
                let text = line.drop { $0 != "{" }
                return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            }
            #expect(bodies.map { $0["position"] as? Int } == Array(1...500))
            #expect(bodies.map { $0["id"] as? String } == batch.map { PunchKey.of($0.punch) })
            #expect(bodies.first?["code"] as? String == "7")
        }
    }

    @Test("the state of host and devices is retained; a device that goes is forgotten")
    func retained() async throws {
        try await MosquittoServer.with { server in
            let memory = VolatileMemory()
            let sink = try sink(server, memory: memory)
            try await open(sink)
            try await sink.report(
                [report("lobby", isConnected: true), report("gate", isConnected: false)], isComplete: true)
            try await sink.report([report("gate", isConnected: false, isEnabled: false)], isComplete: false)
            let before = try await server.retained()
            #expect(before.contains("muster/plant-2/status online"))
            #expect(before.contains("muster/plant-2/device/lobby/availability online"))
            #expect(before.contains("muster/plant-2/device/gate/availability maintenance"))
            #expect(
                before.contains { $0.hasPrefix(#"muster/plant-2/device/lobby/state {"name":"lobby","state":"online""#) }
            )
            await sink.close()
            #expect(try await server.retained().contains("muster/plant-2/status offline"))
            let later = try self.sink(server, memory: memory)
            try await later.open()
            try await later.report([report("lobby", isConnected: true)], isComplete: true)
            #expect(try await server.retained().allSatisfy { !$0.contains("gate") })
            await later.close()
        }
    }

    @Test("a host that is lost is published as offline by the broker")
    func will() async throws {
        try await MosquittoServer.with { server in
            let sink = try sink(server)
            try await open(sink)
            // Another connection of the same name: the broker cuts the first one off, without a goodbye.
            let thief = try self.sink(server, ["root": "other"])
            try await thief.open()
            let retained = try await server.retained()
            #expect(retained.contains("muster/plant-2/status offline"))
            #expect(retained.contains("other/plant-2/status online"))
            let fault = await #expect(throws: SinkFault.self) { try await sink.deliver([webPunch(1, "08:00:00")]) }
            #expect(fault?.kind == .transient)
            await thief.close()
            await sink.close()
        }
    }

    @Test("a host that is stopped says so, also when it is cancelled")
    func cancelledClose() async throws {
        try await MosquittoServer.with { server in
            let sink = try sink(server)
            try await open(sink)
            let closing = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await sink.close()
            }
            await closing.value
            #expect(try await server.retained() == ["muster/plant-2/status offline"])
        }
    }

    @Test("a broker that goes away is a fault, and works again when it is back")
    func restart() async throws {
        try await MosquittoServer.with { server in
            let sink = try sink(server)
            try await open(sink)
            #expect(try await sink.deliver([webPunch(1, "08:00:00")]) == .allAccepted)
            server.stop()
            var fault = await #expect(throws: SinkFault.self) { try await sink.deliver([webPunch(2, "08:00:01")]) }
            #expect(fault?.kind == .transient)
            fault = await #expect(throws: SinkFault.self) { try await sink.open() }
            #expect(fault?.kind == .transient)
            try server.start()
            try await open(sink)
            #expect(try await sink.deliver([webPunch(2, "08:00:01")]) == .allAccepted)
            await sink.close()
        }
    }

    @Test("a wrong password is for people")
    func credentials() async throws {
        let configuration = "allow_anonymous false\npassword_file DIRECTORY/users"
        try await MosquittoServer.with(configuration) { server in
            let right = try sink(server, ["username": "hr", "password": "right"])
            try await open(right)
            await right.close()
            let wrong = try sink(server, ["username": "hr", "password": "wrong"])
            let fault = await #expect(throws: SinkFault.self) { try await wrong.open() }
            #expect(fault?.kind == .permanent)
            #expect(fault?.message.contains("username") == true)
            await wrong.close()
        }
    }

    @Test("a certificate that cannot be read is said, each time")
    func unreadableCertificate() async throws {
        try await MosquittoServer.with { server in
            let sink = try sink(server, ["tls": "true", "ca": "/nowhere/ca.pem"])
            for _ in 0..<20 {
                await #expect {
                    try await sink.open()
                } throws: { ($0 as? SinkFault)?.kind == .permanent }
            }
            await sink.close()
        }
    }

    @Test("what cannot work is said when the configuration is read")
    func badSettings() {
        for texts in [["root": "a/#"], ["site": "/x"], ["password": "p"], ["ca": "ca.pem"], ["certificate": "c.pem"]] {
            let values = ["host": "127.0.0.1"].merging(texts) { $1 }
            #expect(throws: ConfigurationError.self) { try MQTTSettings(try MQTTSettings.schema.values(values)) }
        }
    }
}
