import Foundation
import Synchronization
import Testing
import ZKTecoEmulator

extension CommandLineRig {
    /// Runs `body` beside `muster run` on this rig's configuration. What the host writes stands in `host.log`.
    func withHost(_ body: () async throws -> Void) async throws {
        let log = path("host.log")
        try Data().write(to: URL(fileURLWithPath: log))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.binary)
        process.arguments = ["run", "--for", "300s", "--log-level", "trace", "--config", path("muster.yaml")]
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let ended = AsyncStream.makeStream(of: Void.self)
        process.terminationHandler = { _ in ended.continuation.finish() }
        try process.run()
        do {
            try await waitUntilHostAnswers()
            try await body()
        } catch {
            process.terminate()
            for await _ in ended.stream {}
            throw error
        }
        process.terminate()
        for await _ in ended.stream {}
        #expect(process.terminationStatus == 0, "\(hostLog)")
    }

    private var hostLog: String { (try? String(contentsOfFile: path("host.log"), encoding: .utf8)) ?? "" }

    /// The control socket stands as soon as the host takes commands.
    private func waitUntilHostAnswers() async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if hostLog.contains("started"), FileManager.default.fileExists(atPath: path("data/control.sock")) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw HarnessError("the host does not come up: \(hostLog)")
    }

    /// Whether a file of this rig has the text, other than those that are meant to: secrets and template files.
    func holds(_ text: some StringProtocol) throws -> Bool { try holds(Data(text.utf8)) }

    func holds(_ bytes: Data) throws -> Bool {
        let files = try #require(FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension != "json" && file.lastPathComponent != "password" {
            guard let data = try? Data(contentsOf: file) else { continue }
            if data.range(of: bytes) != nil { return true }
        }
        return false
    }
}

/// What commands did to a terminal.
final class CommandsSeen: Sendable {
    private let seen = Mutex<[EmulatorObservation]>([])

    var all: [EmulatorObservation] { seen.withLock { $0 } }

    func count(_ isWanted: (EmulatorObservation) -> Bool) -> Int { all.count(where: isWanted) }

    func observe(_ observation: EmulatorObservation) {
        switch observation {
        case .unlocked, .spoke, .enrolled, .restarted, .poweredOff, .clockSet, .logCleared:
            seen.withLock { $0.append(observation) }
        default: break
        }
    }
}
