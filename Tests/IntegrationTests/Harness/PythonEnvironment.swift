import Foundation

/// A Python virtual environment with packages from PyPI, made once and kept beside the build.
///
/// Nothing is skipped: without Python or without the package index a test fails and says what is missing.
enum PythonEnvironment {
    private static let pyzk = Task { try await make(name: "pyzk==0.9", requirements: ["pyzk==0.9"]) }
    private static let validator = Task {
        try await make(name: "validator", requirements: ["jsonschema==4.26.0", "PyYAML==6.0.3"])
    }

    private static let mail = Task { try await make(name: "aiosmtpd==1.4.6", requirements: ["aiosmtpd==1.4.6"]) }

    /// The interpreter of an environment that has the mail server aiosmtpd.
    static func mailInterpreter() async throws -> String { try await mail.value }

    /// The interpreter of an environment that has pyzk 0.9.
    static func pyzkInterpreter() async throws -> String { try await pyzk.value }

    /// The interpreter of an environment that has a JSON Schema validator and a YAML reader.
    static func validatorInterpreter() async throws -> String { try await validator.value }

    /// A script of `Tests/IntegrationTests/Python`.
    static func script(_ name: String) throws -> String {
        guard let path = Bundle.module.path(forResource: name, ofType: "py", inDirectory: "Python") else {
            throw HarnessError("Tests/IntegrationTests/Python/\(name).py is not among the resources")
        }
        return path
    }

    @concurrent
    private static func make(name: String, requirements: [String]) async throws -> String {
        let directory = packageDirectory.appendingPathComponent(".build/python/\(name)").path
        let interpreter = "\(directory)/bin/python"
        let marker = "\(directory)/complete"
        if FileManager.default.fileExists(atPath: marker) { return interpreter }
        try await step(
            "/usr/bin/env", ["python3", "-m", "venv", "--clear", directory],
            hint: "python3 with its venv module is needed: apt-get install python3-venv")
        try await step(
            interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"] + requirements,
            hint: "\(requirements.joined(separator: ", ")) could not be installed from PyPI")
        try Data().write(to: URL(fileURLWithPath: marker))
        return interpreter
    }

    private static func step(_ executable: String, _ arguments: [String], hint: String) async throws {
        let output = try await ChildProcess.run(executable, arguments, timeout: .seconds(300))
        guard output.status == 0 else {
            throw HarnessError("\(hint)\n\(output.text)\(output.standardError)")
        }
    }

    /// Four levels above this file.
    private static var packageDirectory: URL {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url
    }
}
