internal import NIOCore
internal import NIOPosix

/// The two ports of a terminal: TCP and UDP under one number.
struct EmulatorPorts: Sendable {
    typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>
    typealias Datagram = AddressedEnvelope<ByteBuffer>

    let number: Int
    let listener: NIOAsyncChannel<Link, Never>?
    let datagrams: NIOAsyncChannel<Datagram, Datagram>?

    /// How often the system is asked for a number that is free for both.
    private static let attempts = 16

    /// - Parameter port: 0 lets the system choose.
    static func open(_ transports: EmulatedTransports, host: String, port: Int) async throws -> EmulatorPorts {
        guard transports != .udp else {
            let datagrams = try await bindDatagrams(host: host, port: port)
            return EmulatorPorts(
                number: datagrams.channel.localAddress?.port ?? port, listener: nil, datagrams: datagrams)
        }
        var attempt = 1
        while true {
            let listener = try await listen(host: host, port: port)
            let number = listener.channel.localAddress?.port ?? port
            if transports == .tcp { return EmulatorPorts(number: number, listener: listener, datagrams: nil) }
            do {
                let datagrams = try await bindDatagrams(host: host, port: number)
                return EmulatorPorts(number: number, listener: listener, datagrams: datagrams)
            } catch {
                try? await listener.channel.close()
                if port != 0 || attempt == attempts { throw error }
                attempt += 1
            }
        }
    }

    func close() {
        listener?.channel.close(promise: nil)
        datagrams?.channel.close(promise: nil)
    }

    private static func listen(host: String, port: Int) async throws -> NIOAsyncChannel<Link, Never> {
        try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Link(wrappingChannelSynchronously: channel)
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
