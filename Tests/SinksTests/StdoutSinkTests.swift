import DeviceKit
import Foundation
import Testing

@testable import Sinks

@Suite("The stdout sink")
struct StdoutSinkTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func printed(_ format: String, _ batch: [JournaledPunch]) async throws -> String {
        let pipe = Pipe()
        let settings = try StdoutSettings(try StdoutSettings.schema.values(["format": format]))
        let sink = StdoutSink(
            settings: settings, context: directory.context(),
            output: StandardOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor))
        // Read beside the writing: a batch is larger than the pipe's buffer.
        async let text = Self.readAll(pipe.fileHandleForReading)
        try await sink.open()
        #expect(try await sink.deliver(batch) == .allAccepted)
        await sink.close()
        try pipe.fileHandleForWriting.close()
        return await text
    }

    @concurrent
    private static func readAll(_ handle: FileHandle) async -> String {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: String(decoding: handle.readDataToEndOfFile(), as: UTF8.self))
            }
        }
    }

    @Test("prints JSON lines for programs")
    func jsonl() async throws {
        let batch = try punches(1...2_000)
        #expect(try await printed("jsonl", batch) == lines(batch))
    }

    @Test("prints columns for people")
    func text() async throws {
        let batch = try [punch(1), punch(2, device: "gate", code: "00123", notes: "moved forward")]
        #expect(
            try await printed("text", batch) == """
                2025-06-15 15:07:40  lobby             7          in           fingerprint
                2025-06-15 15:08:40  gate              00123      in           fingerprint  moved forward

                """)
    }

    @Test("lets no device talk to the terminal")
    func controlCharacters() async throws {
        let text = try await printed("text", [try punch(1, code: "\u{1B}[2J7")])
        #expect(!text.contains("\u{1B}"))
        #expect(text.contains("[2J7"))
    }
}
