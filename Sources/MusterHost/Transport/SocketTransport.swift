internal import DeviceKit
internal import NIOCore
internal import Synchronization

/// One link: a TCP connection, or a UDP socket that talks to one peer.
final class SocketTransport: Transport {
    private let channel: any Channel
    private let inbox: Inbox
    private let endpoint: Endpoint

    init(channel: any Channel, inbox: Inbox, endpoint: Endpoint) {
        self.channel = channel
        self.inbox = inbox
        self.endpoint = endpoint
    }

    func send(_ bytes: [UInt8]) async throws(DeviceFault) {
        let channel = channel
        do {
            // A peer that does not read would hold the sender for ever, so a cancelled sender takes the link with it.
            try await withTaskCancellationHandler {
                let buffer = ByteBuffer(bytes: bytes)
                if endpoint.kind == .udp, let peer = channel.remoteAddress {
                    try await channel.writeAndFlush(AddressedEnvelope(remoteAddress: peer, data: buffer))
                } else {
                    try await channel.writeAndFlush(buffer)
                }
            } onCancel: {
                channel.close(promise: nil)
            }
        } catch {
            if Task.isCancelled { throw .cancelled }
            throw DeviceFault(.connectionLost, "\(endpoint): the connection broke while sending (\(error))")
        }
    }

    func receive() async throws(DeviceFault) -> [UInt8]? {
        switch await inbox.next() {
        case .bytes(let bytes): return bytes
        case .closed: return nil
        case .broken(let reason): throw DeviceFault(.connectionLost, "\(endpoint): the connection broke (\(reason))")
        case .cancelled: throw .cancelled
        }
    }

    func close() async {
        inbox.end(.closed)
        // Already closed is what was wanted.
        try? await channel.close()
    }

    func closeNow() { channel.close(promise: nil) }
}

/// Bytes that have arrived and were not taken yet. When there are many, the socket is not read.
final class Inbox: Sendable {
    enum Arrival: Sendable, Equatable {
        case bytes([UInt8])
        case closed
        case broken(String)
        case cancelled
    }

    /// Reading stops at this many bytes and goes on at half of them.
    static let highWater = 256 * 1_024

    private struct State {
        var chunks: [[UInt8]] = []
        var byteCount = 0
        var isPaused = false
        var ending: Arrival?
        var waiter: CheckedContinuation<Arrival?, Never>?
    }

    private let state = Mutex(State())
    private let channel: any Channel
    private let keepsDatagrams: Bool

    /// - Parameter keepsDatagrams: what arrives is handed on piece by piece, as it came.
    init(channel: any Channel, keepsDatagrams: Bool = false) {
        self.channel = channel
        self.keepsDatagrams = keepsDatagrams
    }

    /// All bytes that are there, or the next datagram; waits for the first one.
    func next() async -> Arrival {
        if let arrival = take() { return arrival }
        let woken = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Arrival?? = state.withLock { state in
                    if Task.isCancelled { return .some(.cancelled) }
                    if !state.chunks.isEmpty || state.ending != nil { return .some(nil) }
                    state.waiter = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { $0.waiter.take() }?.resume(returning: .cancelled)
        }
        // Without an answer of its own the wake-up means that there is something to take.
        return woken ?? take() ?? .closed
    }

    func push(_ bytes: [UInt8]) {
        let (waiter, mustPause) = state.withLock { state in
            state.chunks.append(bytes)
            state.byteCount += bytes.count
            let mustPause = !state.isPaused && state.byteCount >= Self.highWater
            if mustPause { state.isPaused = true }
            return (state.waiter.take(), mustPause)
        }
        if mustPause { setReading(false) }
        waiter?.resume(returning: nil)
    }

    /// Nothing more will arrive. What arrived before is still delivered.
    func end(_ ending: Arrival) {
        let waiter = state.withLock { state in
            state.ending = state.ending ?? ending
            return state.waiter.take()
        }
        waiter?.resume(returning: nil)
    }

    private func take() -> Arrival? {
        let (arrival, mayResume) = state.withLock { state -> (Arrival?, Bool) in
            guard !state.chunks.isEmpty else { return (state.ending, false) }
            let bytes: [UInt8]
            if state.chunks.count == 1 || keepsDatagrams {
                bytes = state.chunks.removeFirst()
            } else {
                bytes = Array(state.chunks.joined())
                state.chunks.removeAll(keepingCapacity: true)
            }
            state.byteCount -= bytes.count
            let mayResume = state.isPaused && state.byteCount <= Self.highWater / 2
            if mayResume { state.isPaused = false }
            return (.bytes(bytes), mayResume)
        }
        if mayResume { setReading(true) }
        return arrival
    }

    private func setReading(_ isOn: Bool) {
        channel.setOption(.autoRead, value: isOn).whenFailure { _ in
            // The channel is closing; there is nothing left to read.
        }
    }
}

/// Moves what NIO reads into the inbox.
final class InboxHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        inbox.push(Array(buffer.readableBytesView))
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.end(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.end(.broken("\(error)"))
        context.close(promise: nil)
    }
}

/// Moves datagrams into the inbox; empty ones are nothing.
final class DatagramHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).data.readableBytesView)
        if !bytes.isEmpty { inbox.push(bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.end(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.end(.broken("\(error)"))
        context.close(promise: nil)
    }
}
