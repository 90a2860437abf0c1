internal import DeviceKit
internal import Journal
internal import Logging
internal import NIOCore
internal import NIOPosix

/// Lets the command line reach the running host: a Unix socket in the data directory, for its owner only.
struct ControlServer: Sendable {
    let directory: DataDirectory
    let log: Logger
    /// The last argument hears what is to be said before the answer.
    let answer: @Sendable (ControlRequest, @escaping @Sendable (ControlAnswer) async -> Void) async -> ControlAnswer

    private typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Serves until the task is cancelled. The host works without it: when the socket cannot be made, that is logged.
    func run() async {
        do {
            let address = try ControlAddress(directory)
            address.removeStale()
            let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .bind(unixDomainSocketPath: address.path, cleanupExistingSocketFile: true) { channel in
                    channel.eventLoop.makeCompletedFuture { try Link(wrappingChannelSynchronously: channel) }
                }
            address.restrict()
            defer { address.remove() }
            try await serve(server)
        } catch {
            if !Task.isCancelled {
                log.warning(
                    "no control socket: muster sync cannot reach this host", metadata: ["error": "\(error)"])
            }
        }
    }

    private func serve(_ server: NIOAsyncChannel<Link, Never>) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { links in
                for try await link in links {
                    // A client that goes away in the middle concerns nobody else.
                    group.addTask { try? await converse(link) }
                }
            }
        }
    }

    private func converse(_ link: Link) async throws {
        try await link.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                var lines = LineBuffer(limit: ControlRequest.maximumByteCount)
                var isAsked = false
                for try await bytes in inbound {
                    guard lines.append(bytes.readableBytesView) else { break }
                    // One request a connection; what follows is not read, only that the client goes away is noticed.
                    guard !isAsked, let line = lines.next() else { continue }
                    isAsked = true
                    group.addTask { try await reply(to: line, outbound) }
                }
                // A client that went away wants no answer: what is done for it is cancelled, where that can be.
                group.cancelAll()
            }
        }
    }

    private func reply(
        to line: [UInt8], _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws {
        let reply: ControlAnswer
        if let request = ControlCoding.decode(line, as: ControlRequest.self) {
            reply = await answer(request) { report in
                // A client that is gone is noticed elsewhere.
                try? await outbound.write(ByteBuffer(bytes: ControlCoding.line(report)))
            }
        } else {
            reply = ControlAnswer(error: "the host does not understand the request")
        }
        try await outbound.write(ByteBuffer(bytes: ControlCoding.line(reply)))
    }
}

/// Lines of a stream, with a limit on their length.
struct LineBuffer: Sendable {
    private var bytes: [UInt8] = []
    /// So many bytes were looked at and hold no end of a line.
    private var searched = 0
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// False when a line grows beyond the limit.
    mutating func append(_ more: some Sequence<UInt8>) -> Bool {
        bytes.append(contentsOf: more)
        return bytes.count <= limit
    }

    mutating func next() -> [UInt8]? {
        guard let end = bytes[searched...].firstIndex(of: 0x0A) else {
            searched = bytes.count
            return nil
        }
        defer {
            bytes.removeFirst(end + 1)
            searched = 0
        }
        return Array(bytes[..<end])
    }
}
