import Foundation
import Testing
import ZKTecoEmulator

/// The built program with a configuration and a data directory of its own.
struct CommandLineRig: Sendable {
    let directory: URL

    /// The program stands beside the tests' resources in the build directory.
    static let binary = Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent("muster").path

    /// Runs `body` in a new directory that is removed afterwards.
    /// - Parameter configuration: the text of `muster.yaml`; `DATA` in it becomes the data directory.
    static func with<Value>(
        _ configuration: String?, _ body: (CommandLineRig) async throws -> Value
    ) async throws -> Value {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-cli-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let rig = CommandLineRig(directory: directory)
        if let configuration {
            let text = configuration.replacing("DATA", with: rig.path("data"))
            try Data(text.utf8).write(to: URL(fileURLWithPath: rig.path("muster.yaml")))
        }
        return try await body(rig)
    }

    /// Runs `body` beside an emulated terminal.
    /// - Parameter port: where it listens; 0 for a port of the system's choice.
    static func withTerminal<Value>(
        _ options: EmulatorOptions, port: Int = 0, _ body: (Int) async throws -> Value
    ) async throws -> Value {
        var options = options
        options.port = port
        options.pacing = .zero
        let server = try await EmulatorServer.bind(options)
        let running = Task { try await server.run() }
        do {
            let value = try await body(server.port)
            await server.stop()
            try await running.value
            return value
        } catch {
            await server.stop()
            _ = try? await running.value
            throw error
        }
    }

    func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    /// Runs a verb on this rig's configuration.
    func muster(
        _ arguments: String..., input: String? = nil, environment: [String: String] = [:]
    ) async throws -> ChildOutput {
        try await ChildProcess.run(
            Self.binary, arguments + ["--config", path("muster.yaml")], input: input, environment: environment,
            timeout: .seconds(120))
    }

    /// Runs a verb on this rig's configuration, which must end with `status`.
    func expect(
        _ status: Int32, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let output = try await ChildProcess.run(Self.binary, arguments + ["--config", path("muster.yaml")])
        #expect(output.status == status, "\(output.text)\(output.standardError)", sourceLocation: sourceLocation)
    }

    static func expect(
        _ status: Int32, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let output = try await ChildProcess.run(binary, arguments)
        #expect(output.status == status, "\(output.text)\(output.standardError)", sourceLocation: sourceLocation)
    }

    /// Runs a verb that takes no configuration.
    static func muster(_ arguments: String...) async throws -> ChildOutput {
        try await ChildProcess.run(binary, arguments)
    }
}

extension ChildOutput {
    /// The output as one JSON object.
    func object(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String: Any] {
        try #require(
            JSONSerialization.jsonObject(with: standardOutput) as? [String: Any], sourceLocation: sourceLocation)
    }

    /// The output as an array of JSON objects.
    func objects(sourceLocation: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
        try #require(
            JSONSerialization.jsonObject(with: standardOutput) as? [[String: Any]], sourceLocation: sourceLocation)
    }

    var lines: [Substring] { text.split(whereSeparator: \.isNewline) }
}
