internal import NIOCore
internal import NIOPosix

/// The two ports of a terminal: TCP and UDP under one number.
struct EmulatorPorts: Sendable {
    typealias Datagram = AddressedEnvelope<ByteBuffer>

    let number: Int
    let streams: StreamPort?
    let datagrams: NIOAsyncChannel<Datagram, Datagram>?

    /// How often the system is asked for a number that is free for both.
    private static let attempts = 16

    /// - Parameter port: 0 lets the system choose.
    static func open(_ transports: EmulatedTransports, host: String, port: Int) async throws -> EmulatorPorts {
        guard transports != .udp else {
            let datagrams = try await bindDatagrams(host: host, port: port)
            return EmulatorPorts(
                number: datagrams.channel.localAddress?.port ?? port, streams: nil, datagrams: datagrams)
        }
        var attempt = 1
        while true {
            let streams = try await StreamPort.open(host: host, port: port)
            let number = streams.listener.localAddress?.port ?? port
            if transports == .tcp { return EmulatorPorts(number: number, streams: streams, datagrams: nil) }
            do {
                let datagrams = try await bindDatagrams(host: host, port: number)
                return EmulatorPorts(number: number, streams: streams, datagrams: datagrams)
            } catch {
                try? await streams.listener.close()
                if port != 0 || attempt == attempts { throw error }
                attempt += 1
            }
        }
    }

    private static func bindDatagrams(host: String, port: Int) async throws -> NIOAsyncChannel<Datagram, Datagram> {
        try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<Datagram, Datagram>(wrappingChannelSynchronously: channel)
                }
            }
    }
}

/// A TCP port whose listening socket may be closed and opened again, while what it has accepted goes on.
struct StreamPort: Sendable {
    typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// The first listening socket.
    let listener: any Channel
    /// Who came in, over whichever socket. Nothing is read from them yet.
    let accepted: AsyncStream<any Channel>
    private let admit: AsyncStream<any Channel>.Continuation

    /// More clients wait for nobody.
    private static let backlog = 1_024

    private struct Refusal: Error {}

    static func open(host: String, port: Int) async throws -> StreamPort {
        let (accepted, admit) = AsyncStream.makeStream(
            of: (any Channel).self, bufferingPolicy: .bufferingOldest(backlog))
        let listener = try await listen(host: host, port: port, admit)
        return StreamPort(listener: listener, accepted: accepted, admit: admit)
    }

    /// Another listening socket.
    func listen(host: String, port: Int) async throws -> any Channel {
        try await Self.listen(host: host, port: port, admit)
    }

    /// Nobody comes in any more.
    func close() { admit.finish() }

    private static func listen(
        host: String, port: Int, _ admit: AsyncStream<any Channel>.Continuation
    ) async throws -> any Channel {
        try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                // Who is not let in is closed.
                guard case .enqueued = admit.yield(channel) else {
                    return channel.eventLoop.makeFailedFuture(Refusal())
                }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: host, port: port).get()
    }

    /// Makes a link of what came in; `nil` for a client that has gone.
    static func link(_ channel: any Channel) async -> Link? {
        let link = try? await channel.eventLoop.submit {
            // In this order: a link that is made has to be used.
            try channel.syncOptions?.setOption(.autoRead, value: true)
            return try Link(wrappingChannelSynchronously: channel)
        }.get()
        if link == nil { channel.close(promise: nil) }
        return link
    }
}
