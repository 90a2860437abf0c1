import Foundation
import Synchronization

/// A child that runs beside a test, takes lines and answers with lines. It ends with ``stop()``, or when its standard
/// input does.
final class BackgroundProcess: Sendable {
    private struct State {
        let process: Process
        let input: FileHandle
        let output: FileHandle
        var unread = Data()
    }

    private let state: Mutex<State>

    /// - Parameter errors: a file that gets the child's standard error; `nil` for the test's own.
    init(_ executable: String, _ arguments: [String], errors: String? = nil) throws {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        if let errors {
            _ = FileManager.default.createFile(atPath: errors, contents: nil)
            process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        }
        try process.run()
        state = Mutex(
            State(process: process, input: input.fileHandleForWriting, output: output.fileHandleForReading))
    }

    /// The next line that the child writes.
    @concurrent
    func line() async throws -> String {
        try state.withLock { state in
            while true {
                if let end = state.unread.firstIndex(of: 0x0A) {
                    defer { state.unread.removeSubrange(...end) }
                    return String(decoding: state.unread[..<end], as: UTF8.self)
                }
                let more = state.output.availableData
                guard !more.isEmpty else { throw HarnessError("the child ended before it wrote a line") }
                state.unread += more
            }
        }
    }

    func write(_ line: String) throws {
        try state.withLock { try $0.input.write(contentsOf: Data("\(line)\n".utf8)) }
    }

    var isRunning: Bool { state.withLock { $0.process.isRunning } }

    /// Ends it at once.
    func stop() {
        state.withLock { state in
            try? state.input.close()
            guard state.process.isRunning else { return }
            // A child of Foundation may inherit a mask that blocks SIGTERM.
            kill(state.process.processIdentifier, SIGKILL)
            state.process.waitUntilExit()
        }
    }
}
