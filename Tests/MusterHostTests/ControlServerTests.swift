import DeviceKit
import Foundation
import Journal
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import MusterHost

@Suite("The control socket", .timeLimit(.minutes(1)))
struct ControlServerTests {
    private let directory = DataDirectory(
        path: FileManager.default.temporaryDirectory.appendingPathComponent("mc-\(UUID().uuidString.prefix(8))").path)

    private typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Runs `body` beside a server that answers every request with the number of its positions.
    private func withServer(
        patience: TimeAmount = .seconds(30), _ body: (ControlClient) async throws -> Void
    ) async throws {
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = ControlServer(directory: directory, log: log, patience: patience) { request, _ in
            ControlAnswer(count: request.positions?.count ?? 0)
        }
        let running = Task { await server.run() }
        let client = ControlClient(directory)
        while !(await client.isHostRunning()) { await Task.yield() }
        try await body(client)
        running.cancel()
        await running.value
        #expect(!FileManager.default.fileExists(atPath: directory.controlSocketPath))
    }

    private func connect() async throws -> Link {
        try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(unixDomainSocketPath: directory.controlSocketPath) { channel in
                channel.eventLoop.makeCompletedFuture { try Link(wrappingChannelSynchronously: channel) }
            }
    }

    /// Everything that the server says until it ends the link.
    private func talk(_ bytes: [UInt8]) async throws -> String {
        try await connect().executeThenClose { inbound, outbound in
            // A server that has heard enough may close before it has read all.
            try? await outbound.write(ByteBuffer(bytes: bytes))
            return await heard(inbound)
        }
    }

    private func heard(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) async -> String {
        var text = ""
        do {
            for try await more in inbound { text += String(buffer: more) }
        } catch {}
        return text
    }

    @Test("answers the command line, for its owner only")
    func answers() async throws {
        try await withServer { client async throws in
            #expect(try await client.retry("db", positions: [1, 2, 3]) == 3)
            let mode = try FileManager.default.attributesOfItem(atPath: directory.controlSocketPath)[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }
    }

    @Test("says that it does not understand, and ends links that send no line or ask nothing")
    func nonsense() async throws {
        try await withServer(patience: .milliseconds(200)) { client async throws in
            #expect(try await talk(Array("what?\n\n".utf8)).contains("does not understand"))
            #expect(try await talk([UInt8](repeating: 0x41, count: ControlRequest.maximumByteCount + 1)) == "")
            #expect(try await talk([]) == "")
            #expect(try await talk([0xFF, 0x00, 0x7B]) == "")
            #expect(try await client.discard("db", positions: [1]) == 1)
        }
    }

    @Test("serves some clients at a time and tells the others to come again")
    func limit() async throws {
        try await withServer { client async throws in
            let leave = ChangeSignal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                let (served, serves) = AsyncStream.makeStream(of: Void.self)
                for _ in 0..<ControlServer.maximumLinkCount {
                    group.addTask { try await stay(until: leave) { serves.yield() } }
                }
                var count = 0
                for await _ in served {
                    count += 1
                    if count == ControlServer.maximumLinkCount { break }
                }
                #expect(try await talk([]).contains("try again"))
                await #expect(throws: ControlClient.Failure.self) { _ = try await client.retry("db", positions: [1]) }
                leave.send()
                try await group.waitForAll()
            }
            while (try? await client.retry("db", positions: [1])) != 1 { await Task.yield() }
        }
    }

    /// A client that is served and then holds its link.
    private func stay(until leave: ChangeSignal, served: @escaping @Sendable () -> Void) async throws {
        var isServed = false
        while !isServed {
            isServed = try await connect().executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(bytes: ControlCoding.line(ControlRequest(verb: .ping))))
                var answers = inbound.makeAsyncIterator()
                guard let answer = try await answers.next(), !String(buffer: answer).contains("try again") else {
                    return false
                }
                served()
                try await leave.wait(since: 0)
                return true
            }
        }
    }
}
