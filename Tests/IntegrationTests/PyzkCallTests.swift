import DeviceKit
import Foundation
import Testing
import ZKTecoEmulator

/// Every public call of pyzk 0.9, over TCP and over UDP, against the emulator. The table in `Plugins/ZKTeco/README.md` is
/// what comes of them: this test holds it to the truth.
@Suite("pyzk's own calls")
struct PyzkCallTests {
    private struct Outcome: Decodable {
        let calls: [[String]]
        /// Public calls of pyzk that were not made.
        let missing: [String]
    }

    private func calls(over transport: Endpoint.Kind) async throws -> Outcome {
        let subscribed = Subscription()
        var options = EmulatorOptions()
        options.port = 0
        options.records = 30
        options.observer = { subscribed.observe($0) }
        let server = try await EmulatorServer.bind(options)
        let running = Task { try await server.run() }
        let punching = Task {
            await subscribed.wait()
            _ = await server.control(.punch(code: "1002"))
        }
        let output = try await ChildProcess.run(
            PythonEnvironment.pyzkInterpreter(),
            [PythonEnvironment.script("pyzk_calls"), "127.0.0.1", String(server.port), transport.rawValue])
        punching.cancel()
        await server.stop()
        try await running.value
        guard output.status == 0 else { throw HarnessError("pyzk: \(output.standardError)") }
        return try JSONDecoder().decode(Outcome.self, from: output.standardOutput)
    }

    private static func row(_ cells: [String]) -> String {
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }

    @Test("are all answered over TCP and UDP, as the table in the README of the plugin says")
    func table() async throws {
        let overTCP = try await calls(over: .tcp)
        let overUDP = try await calls(over: .udp)
        #expect(overTCP.missing == [] && overUDP.missing == [])
        #expect(overTCP.calls.map(\.first) == overUDP.calls.map(\.first))
        let rows = zip(overTCP.calls, overUDP.calls).map { tcp, udp in
            Self.row(["`\(tcp[0])`", tcp[1], udp[1] == tcp[1] ? "the same" : udp[1]])
        }
        let table = (["| Call | TCP | UDP |", "|---|---|---|"] + rows).joined(separator: "\n")
        let readme = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Plugins/ZKTeco/README.md").standardizedFileURL
        let text = try String(contentsOf: readme, encoding: .utf8)
        #expect(text.contains(table), "the table is now:\n\(table)")
    }
}
