import DeviceKit
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import MusterHost

/// A server of one test, on a port of the loopback address that the system chooses.
final class EchoServer: Sendable {
    private let channel: any Channel
    let port: UInt16

    /// - Parameter serve: what is done with each accepted link.
    init(_ serve: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>) async throws {
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer(serve)
            .bind(host: "127.0.0.1", port: 0)
            .get()
        port = UInt16(try #require(channel.localAddress?.port))
    }

    func stop() async { try? await channel.close() }

    var endpoint: Endpoint { Endpoint(.tcp, host: "127.0.0.1", port: port) }
}

/// Sends back what arrives.
private final class Echo: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }
}

/// Says goodbye and closes.
private final class Goodbye: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(ByteBuffer(string: "goodbye")), promise: nil)
        context.close(promise: nil)
    }
}

@Suite("TCP links", .timeLimit(.minutes(1)))
struct SocketTransportTests {
    private let dialer = SocketDialer()

    private func receive(_ count: Int, from link: any Transport) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, let more = try await link.receive() { bytes += more }
        return bytes
    }

    @Test("carry bytes both ways, in order")
    func echo() async throws {
        let server = try await EchoServer { $0.pipeline.addHandler(Echo()) }
        let link = try await dialer.connect(to: server.endpoint, timeout: .seconds(5))
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        async let sending: Void = link.send(bytes)
        let received = try await receive(bytes.count, from: link)
        try await sending
        #expect(received == bytes)
        await link.close()
        await server.stop()
    }

    @Test("a refused connection names the place and the remedy")
    func refused() async throws {
        let server = try await EchoServer { $0.eventLoop.makeSucceededVoidFuture() }
        let endpoint = server.endpoint
        await server.stop()
        await #expect {
            _ = try await dialer.connect(to: endpoint, timeout: .seconds(5))
        } throws: { error in
            let fault = error as? DeviceFault
            return fault?.code == .refused && fault?.message.contains("\(endpoint)") == true
        }
    }

    @Test("a host may be written as a name, too")
    func name() async throws {
        let server = try await EchoServer { $0.pipeline.addHandler(Echo()) }
        let named = Endpoint(.tcp, host: "localhost", port: server.endpoint.port)
        let link = try await dialer.connect(to: named, timeout: .seconds(5))
        try await link.send([1, 2, 3])
        #expect(try await receive(3, from: link) == [1, 2, 3])
        await link.close()
        await server.stop()
    }

    @Test("a name without an address is said to be one")
    func unknownName() async {
        let endpoint = Endpoint(.tcp, host: "terminal.invalid", port: 4370)
        await #expect {
            _ = try await dialer.connect(to: endpoint, timeout: .seconds(20))
        } throws: { ($0 as? DeviceFault)?.code == .unreachable }
    }

    @Test("what arrived before the peer closed is still read, then the end")
    func peerCloses() async throws {
        let server = try await EchoServer { $0.pipeline.addHandler(Goodbye()) }
        let link = try await dialer.connect(to: server.endpoint, timeout: .seconds(5))
        #expect(try await receive(7, from: link) == Array("goodbye".utf8))
        #expect(try await link.receive() == nil)
        #expect(try await link.receive() == nil)
        await link.close()
        await server.stop()
    }

    @Test("a receiver that waits ends when its task is cancelled, and when the link is closed")
    func waiting() async throws {
        let server = try await EchoServer { $0.eventLoop.makeSucceededVoidFuture() }
        let link = try await dialer.connect(to: server.endpoint, timeout: .seconds(5))
        let cancelled = Task { try await link.receive() }
        cancelled.cancel()
        await #expect(throws: DeviceFault.cancelled) { _ = try await cancelled.value }
        let closed = Task { try await link.receive() }
        await link.close()
        #expect(try await closed.value == nil)
        await #expect(throws: DeviceFault.self) { try await link.send([1]) }
        await server.stop()
    }

    @Test("an attempt that was given up before it began opens nothing")
    func cancelledConnect() async throws {
        let server = try await EchoServer { channel in
            Issue.record("a link was opened")
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        let attempt = Task { [dialer] in
            // Held back until the cancellation is certain.
            while !Task.isCancelled { await Task.yield() }
            return try await dialer.connect(to: server.endpoint, timeout: .seconds(30))
        }
        attempt.cancel()
        await #expect(throws: DeviceFault.cancelled) { _ = try await attempt.value }
        await server.stop()
    }

    @Test("a peer that sends faster than it is read has to wait")
    func backPressure() async throws {
        let total = 10 << 20
        let server = try await EchoServer { channel in
            // Not awaited: it is done when the client has read.
            channel.writeAndFlush(ByteBuffer(repeating: 0x5A, count: total), promise: nil)
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        let link = try #require(
            try await dialer.connect(to: server.endpoint, timeout: .seconds(5)) as? SocketTransport)
        let first = try #require(try await link.receive())
        // Whatever is read at once stays near the high-water mark.
        #expect(first.count <= Inbox.highWater + (1 << 20))
        let rest = try await receive(total - first.count, from: link)
        #expect(first.count + rest.count == total)
        await link.close()
        await server.stop()
    }
}
