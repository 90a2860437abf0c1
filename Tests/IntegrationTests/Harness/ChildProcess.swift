import Foundation
import Synchronization

/// What a child process left behind.
struct ChildOutput: Sendable {
    let status: Int32
    let standardOutput: Data
    let standardError: String

    var text: String { String(decoding: standardOutput, as: UTF8.self) }
}

struct HarnessError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

enum ChildProcess {
    /// Runs a program to its end. Output goes through files, so a child never waits for somebody to read it.
    /// - Parameters:
    ///   - input: what the child reads on its standard input; `nil` for nothing.
    ///   - environment: variables besides those of this process.
    ///   - timeout: after which the child is killed and the call throws.
    static func run(
        _ executable: String, _ arguments: [String], input: String? = nil, environment: [String: String] = [:],
        timeout: Duration = .seconds(60)
    ) async throws -> ChildOutput {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let output = directory.appendingPathComponent("out")
        let errors = directory.appendingPathComponent("err")
        for file in [output, errors] { try Data().write(to: file) }
        let inputFile = directory.appendingPathComponent("in")
        try Data((input ?? "").utf8).write(to: inputFile)
        let child = try Child(
            executable, arguments, environment: environment, input: inputFile, output: output, errors: errors)
        let status = await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    try? await Task.sleep(for: timeout)
                    if !Task.isCancelled { child.kill(because: .timeout) }
                }
                let status = await child.status()
                group.cancelAll()
                return status
            }
        } onCancel: {
            child.kill(because: .cancelled)
        }
        let message = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        if child.wasKilled {
            throw HarnessError("\(executable) \(arguments.joined(separator: " ")) ran into \(timeout): \(message)")
        }
        return ChildOutput(status: status, standardOutput: try Data(contentsOf: output), standardError: message)
    }
}

/// A running process with its end as a value.
private final class Child: Sendable {
    enum Reason { case timeout, cancelled }

    // Touched at the start and, inside the lock, to send a signal.
    private let state: Mutex<State>
    private let ended: AsyncStream<Int32>

    private struct State {
        let process: Process
        var wasKilled = false
    }

    init(
        _ executable: String, _ arguments: [String], environment: [String: String], input: URL, output: URL, errors: URL
    ) throws {
        let process = Process()
        if !environment.isEmpty {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: input)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { process in
            continuation.yield(process.terminationStatus)
            continuation.finish()
        }
        ended = stream
        try process.run()
        state = Mutex(State(process: process))
    }

    var wasKilled: Bool { state.withLock { $0.wasKilled } }

    func status() async -> Int32 {
        for await status in ended { return status }
        return -1
    }

    func kill(because reason: Reason) {
        state.withLock { state in
            guard state.process.isRunning else { return }
            state.wasKilled = true
            #if canImport(Glibc)
                _ = Glibc.kill(state.process.processIdentifier, SIGKILL)
            #else
                _ = Darwin.kill(state.process.processIdentifier, SIGKILL)
            #endif
        }
    }
}
