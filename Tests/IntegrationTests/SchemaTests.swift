import Foundation
import Testing

/// `muster schema` held to an independent validator: what loads validates, and what does not load does not.
@Suite("The JSON Schema")
struct SchemaTests {
    private func problems(of documents: [String]) async throws -> [[String]] {
        let schema = try await CommandLineRig.muster("schema")
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let schemaPath = directory.appendingPathComponent("muster.schema.json")
        try schema.standardOutput.write(to: schemaPath)
        let output = try await ChildProcess.run(
            PythonEnvironment.validatorInterpreter(),
            [PythonEnvironment.script("validate_schema"), schemaPath.path] + documents)
        guard output.status == 0 else { throw HarnessError(output.standardError) }
        return try JSONDecoder().decode([[String]].self, from: output.standardOutput)
    }

    private var examples: URL {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        return root.appendingPathComponent("examples")
    }

    @Test("is a valid schema, and every example and the starter configuration validate")
    func valid() async throws {
        let starter = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: starter) }
        #expect(try await CommandLineRig.muster("init", "--config", starter.path).status == 0)
        let files = try FileManager.default.contentsOfDirectory(at: examples, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "yaml" }.map(\.path)
        #expect(files.count >= 2)
        let found = try await problems(of: files + [starter.path])
        #expect(found == Array(repeating: [], count: files.count + 1))
    }

    @Test(
        "refuses what the loader refuses",
        arguments: [
            "devices: {a: {driver: zkteco, settings: {adress: 10.0.0.1}}}",
            "devices: {a: {driver: zkteco, settings: {address: 10.0.0.1, port: 99999}}}",
            "devices: {a: {driver: nonesuch}}",
            "devices: {a: {driver: simulator, settings: {people: many}}}",
            "colour: blue",
        ])
    func invalid(_ text: String) async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        #expect(try await problems(of: [file.path])[0].isEmpty == false)
        #expect(try await CommandLineRig.muster("check", "--config", file.path).status == 78)
    }
}
