import Foundation
import Synchronization

/// A mosquitto broker on a loopback port, and `mosquitto_sub` as an independent client.
final class MosquittoServer: Sendable {
    let port: Int
    private let directory: URL
    private let process: Mutex<Process>

    /// Runs `body` beside a broker. `configuration` goes on from `listener PORT 127.0.0.1`.
    static func with<Value>(
        _ configuration: String = "allow_anonymous true", _ body: (MosquittoServer) async throws -> Value
    ) async throws -> Value {
        let server = try await MosquittoServer(configuration)
        defer { server.remove() }
        return try await body(server)
    }

    private init(_ configuration: String) async throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-mqtt-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        port = try FreePort.next()
        let file = directory.appendingPathComponent("mosquitto.conf")
        let text = "listener \(port) 127.0.0.1\n" + configuration.replacing("DIRECTORY", with: directory.path) + "\n"
        try Data(text.utf8).write(to: file)
        if configuration.contains("password_file") {
            let made = try await ChildProcess.run(
                "/usr/bin/env", ["mosquitto_passwd", "-b", "-c", "\(directory.path)/users", "hr", "right"])
            guard made.status == 0 else { throw HarnessError("mosquitto_passwd: \(made.standardError)") }
        }
        process = Mutex(Process())
        try start()
    }

    func start() throws {
        try process.withLock { process in
            process = Process()
            process.executableURL = URL(fileURLWithPath: Self.program)
            process.arguments = ["-c", directory.appendingPathComponent("mosquitto.conf").path]
            let log = directory.appendingPathComponent("log")
            _ = FileManager.default.createFile(atPath: log.path, contents: nil)
            process.standardError = try FileHandle(forWritingTo: log)
            process.standardOutput = FileHandle.nullDevice
            try process.run()
        }
    }

    func stop() {
        process.withLock { process in
            // A child of Foundation may inherit a mask that blocks SIGTERM.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// What the broker retains now under `#`, as `topic payload`.
    func retained() async throws -> [String] {
        let output = try await subscribe("--retained-only", "-W", "1")
        return output.lines.map { String($0) }.sorted()
    }

    /// `topic payload` of the next `count` messages that are not retained; `isReady` is called once it listens.
    func messages(
        _ topic: String, count: Int, while action: @escaping @Sendable () async throws -> Void
    ) async throws -> [String] {
        // The broker keeps what comes for a session that was opened before, so that nothing depends on when it listens.
        let session = ["-i", "test-\(count)", "-c", "-q", "1", "-t", topic, "-v"]
        _ = try await run(session + ["-E"])
        try await action()
        return try await run(session + ["-C", String(count), "-W", "20"]).lines.map { String($0) }
    }

    private func subscribe(_ arguments: String...) async throws -> ChildOutput {
        try await run(["-t", "#", "-v"] + arguments)
    }

    private func run(_ arguments: [String]) async throws -> ChildOutput {
        // The time-out of mosquitto_sub is a signal, and children of Foundation inherit a mask that blocks it.
        let unmasking = """
            import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execvp(sys.argv[1], sys.argv[1:])
            """
        return try await ChildProcess.run(
            "/usr/bin/env",
            ["python3", "-c", unmasking, "mosquitto_sub", "-h", "127.0.0.1", "-p", String(port)] + arguments)
    }

    private static var program: String {
        ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        } ?? "/usr/sbin/mosquitto"
    }

    private func remove() {
        stop()
        try? FileManager.default.removeItem(at: directory)
    }
}
