internal import DeviceKit
internal import Journal
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Lets the command line reach the running host: a Unix socket in the data directory, for its owner only.
///
/// It serves some clients at a time and tells the others to come again. A client that connects and asks nothing, or does
/// not read its answer, is sent away.
struct ControlServer: Sendable {
    let directory: DataDirectory
    let log: Logger
    /// What a client may take to send a request, and to read the answer. The answer itself may take as long as it does.
    var patience = TimeAmount.seconds(10)
    /// The last argument hears what is to be said before the answer.
    let answer: @Sendable (ControlRequest, @escaping @Sendable (ControlAnswer) async -> Void) async -> ControlAnswer

    /// Clients that are served at the same time.
    static let maximumLinkCount = 32

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
        let linkCount = LinkCount()
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { links in
                for try await link in links {
                    guard linkCount.admit(upTo: Self.maximumLinkCount) else {
                        try? await turnAway(link)
                        continue
                    }
                    group.addTask {
                        // A client that goes away in the middle concerns nobody else.
                        try? await converse(link)
                        linkCount.leave()
                    }
                }
            }
        }
    }

    private func turnAway(_ link: Link) async throws {
        try await link.executeThenClose { _, outbound in
            let reply = ControlAnswer(error: "the host serves \(Self.maximumLinkCount) clients already: try again")
            try await outbound.write(ByteBuffer(bytes: ControlCoding.line(reply)))
        }
    }

    private func converse(_ link: Link) async throws {
        try await link.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                var lines = LineBuffer(limit: ControlRequest.maximumByteCount)
                var isAsked = false
                let limit = limited(link)
                defer { limit.cancel() }
                for try await bytes in inbound {
                    guard lines.append(bytes.readableBytesView) else { break }
                    // One request a connection; what follows is not read, only that the client goes away is noticed.
                    guard !isAsked, let line = lines.next() else { continue }
                    isAsked = true
                    limit.cancel()
                    group.addTask {
                        let answer = await reply(to: line, outbound)
                        // Reading it is what the client has left to do.
                        _ = limited(link)
                        try await outbound.write(ByteBuffer(bytes: ControlCoding.line(answer)))
                    }
                }
                // A client that went away wants no answer: what is done for it is cancelled, where that can be.
                group.cancelAll()
            }
        }
    }

    private func reply(
        to line: [UInt8], _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async -> ControlAnswer {
        guard let request = ControlCoding.decode(line, as: ControlRequest.self) else {
            return ControlAnswer(error: "the host does not understand the request")
        }
        return await answer(request) { report in
            // A client that is gone is noticed elsewhere.
            try? await outbound.write(ByteBuffer(bytes: ControlCoding.line(report)))
        }
    }

    /// Closes a link after a while, unless it is cancelled or the link has ended.
    private func limited(_ link: Link) -> Scheduled<Void> {
        let channel = link.channel
        return channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }
}

/// How many clients are served now.
private final class LinkCount: Sendable {
    private let count = Mutex(0)

    /// Counts one more, unless there are so many already.
    func admit(upTo limit: Int) -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
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
