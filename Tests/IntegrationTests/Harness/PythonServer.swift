import DeviceKit
import Foundation
import Synchronization
import Web

@testable import Sinks

/// A model of somebody else's server, in Python, on a loopback port of the system's choice. It ends when it is stopped,
/// and with this process at the latest.
final class PythonServer: Sendable {
    let port: Int
    private let state: Mutex<(process: Process, input: FileHandle)>

    /// Runs `body` beside the server of a script in `Tests/IntegrationTests/Python`.
    static func with<Value>(
        _ script: String, _ arguments: String..., body: (PythonServer) async throws -> Value
    ) async throws -> Value {
        let server = try await PythonServer(script, arguments)
        defer { server.stop() }
        return try await body(server)
    }

    @concurrent
    private init(_ script: String, _ arguments: [String]) async throws {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", try PythonEnvironment.script(script)] + arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while line.last != 0x0A {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw HarnessError("\(script) ended before it told its port") }
            line += more
        }
        guard let port = Int(String(decoding: line.dropLast(), as: UTF8.self)) else {
            throw HarnessError("\(script) told no port")
        }
        self.port = port
        state = Mutex((process, input.fileHandleForWriting))
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// What happens to the next requests; see `http_model.py`.
    func plan(_ faults: String...) async throws { try await plan(faults) }

    func plan(_ faults: [String]) async throws {
        let body = try JSONSerialization.data(withJSONObject: faults)
        _ = try await ask(WebRequest(method: .post, url: url + "/_faults", body: Array(body)))
    }

    /// What the model holds.
    func model() async throws -> [String: Any] {
        let answer = try await ask(WebRequest(method: .get, url: url + "/_state"))
        return try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any] ?? [:]
    }

    private func ask(_ request: WebRequest) async throws -> WebResponse {
        let settings = try WebSettings(try WebhookSettings.schema.values(["url": url]))
        let client = try WebClient(settings, baseDirectory: "/")
        do {
            let answer = try await client.perform(request)
            await client.close()
            return answer
        } catch {
            await client.close()
            throw error
        }
    }

    private func stop() {
        state.withLock { state in
            try? state.input.close()
            state.process.waitUntilExit()
        }
    }
}
