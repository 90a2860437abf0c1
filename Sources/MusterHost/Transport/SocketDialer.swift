public import DeviceKit
internal import NIOCore
public import NIOPosix
internal import Synchronization

/// Opens TCP and UDP links for drivers: the only place where the host makes a socket to a device.
public struct SocketDialer: Dialer {
    private let group: MultiThreadedEventLoopGroup

    private static let largestDatagram = 65_536

    public init(group: MultiThreadedEventLoopGroup = .singleton) { self.group = group }

    /// Starts the threads that every link needs, so that they are there when the first one is opened.
    public static func start() async { _ = MultiThreadedEventLoopGroup.singleton }

    public func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport {
        let attempt = ConnectAttempt()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                attempt.begin(continuation) { dial(endpoint, timeout: timeout) }
            }
        } onCancel: {
            attempt.cancel()
        }
        switch outcome {
        case .success(let transport): return transport
        case .failure(let error): throw DialFaults.fault(error, endpoint: endpoint, timeout: timeout)
        }
    }

    private func dial(_ endpoint: Endpoint, timeout: Duration) -> EventLoopFuture<SocketTransport> {
        switch endpoint.kind {
        case .tcp: dialTCP(endpoint, timeout: timeout)
        case .udp: dialUDP(endpoint)
        }
    }

    /// Nobody answers to the opening of such a link: only the host's name has to resolve.
    private func dialUDP(_ endpoint: Endpoint) -> EventLoopFuture<SocketTransport> {
        let bootstrap = DatagramBootstrap(group: group)
            // A datagram that is longer than the buffer would be cut without a word.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.largestDatagram))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let inbox = Inbox(channel: channel, keepsDatagrams: true)
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(inbox))
                }
            }
        return channel(endpoint, at: bootstrap.connect(to:), named: bootstrap.connect(host:port:))
            .flatMapThrowing { channel in
                let handler = try channel.pipeline.syncOperations.handler(type: DatagramHandler.self)
                return SocketTransport(channel: channel, inbox: handler.inbox, endpoint: endpoint)
            }
    }

    private func dialTCP(_ endpoint: Endpoint, timeout: Duration) -> EventLoopFuture<SocketTransport> {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.milliseconds(max(timeout.wholeMilliseconds, 1)))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(InboxHandler(Inbox(channel: channel)))
                }
            }
        return channel(endpoint, at: bootstrap.connect(to:), named: bootstrap.connect(host:port:))
            .flatMapThrowing { channel in
                let handler = try channel.pipeline.syncOperations.handler(type: InboxHandler.self)
                return SocketTransport(channel: channel, inbox: handler.inbox, endpoint: endpoint)
            }
    }

    /// An address that is written in numbers needs no resolver, which would keep a thread for each of hundreds of devices.
    private func channel(
        _ endpoint: Endpoint, at connect: (SocketAddress) -> EventLoopFuture<any Channel>,
        named connectByName: (String, Int) -> EventLoopFuture<any Channel>
    ) -> EventLoopFuture<any Channel> {
        let port = Int(endpoint.port)
        guard let address = try? SocketAddress(ipAddress: endpoint.host, port: port) else {
            return connectByName(endpoint.host, port)
        }
        return connect(address)
    }
}

/// One attempt to connect that its task can give up. A link that comes too late is closed.
private final class ConnectAttempt: Sendable {
    typealias Outcome = Result<SocketTransport, any Error>

    private enum State {
        case idle
        case waiting(CheckedContinuation<Outcome, Never>)
        case over
    }

    private let state = Mutex(State.idle)

    func begin(
        _ continuation: CheckedContinuation<Outcome, Never>, _ dial: () -> EventLoopFuture<SocketTransport>
    ) {
        let mayDial = state.withLock { state in
            guard case .idle = state else { return false }
            state = .waiting(continuation)
            return true
        }
        guard mayDial else { return continuation.resume(returning: .failure(CancellationError())) }
        dial().whenComplete { outcome in
            if !self.finish(outcome), case .success(let late) = outcome { late.closeNow() }
        }
    }

    func cancel() {
        let wasIdle = state.withLock { state in
            guard case .idle = state else { return false }
            state = .over
            return true
        }
        if !wasIdle { _ = finish(.failure(CancellationError())) }
    }

    /// Whether somebody was still waiting.
    private func finish(_ outcome: Outcome) -> Bool {
        let waiting = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
            guard case .waiting(let continuation) = state else { return nil }
            state = .over
            return continuation
        }
        waiting?.resume(returning: outcome)
        return waiting != nil
    }
}
