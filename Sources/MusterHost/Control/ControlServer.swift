internal import DeviceKit
internal import Journal
internal import Logging
internal import NIOCore
internal import NIOPosix

/// Lets the command line reach the running host: a Unix socket in the data directory, for its owner only.
struct ControlServer: Sendable {
    let directory: DataDirectory
    let log: Logger
    let answer: @Sendable (ControlRequest) async -> ControlAnswer

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
            var lines = LineBuffer(limit: ControlRequest.maximumByteCount)
            for try await bytes in inbound {
                guard lines.append(bytes.readableBytesView) else { return }
                while let line = lines.next() {
                    let reply: ControlAnswer
                    if let request = ControlCoding.decode(line, as: ControlRequest.self) {
                        reply = await answer(request)
                    } else {
                        reply = ControlAnswer(error: "the host does not understand the request")
                    }
                    try await outbound.write(ByteBuffer(bytes: ControlCoding.line(reply)))
                }
            }
        }
    }
}

/// Lines of a stream, with a limit on their length.
struct LineBuffer: Sendable {
    private var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// False when a line grows beyond the limit.
    mutating func append(_ more: some Sequence<UInt8>) -> Bool {
        bytes.append(contentsOf: more)
        return bytes.count <= limit
    }

    mutating func next() -> [UInt8]? {
        guard let end = bytes.firstIndex(of: 0x0A) else { return nil }
        defer { bytes.removeFirst(end + 1) }
        return Array(bytes[..<end])
    }
}
