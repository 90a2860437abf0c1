internal import DeviceKit
internal import NIOCore
internal import NIOPosix
internal import ZKTecoWire

// TCP: a link for each client.
extension EmulatorServer {
    /// Serves who comes in, until nobody does any more.
    func serveStreams(_ port: StreamPort) async {
        await withDiscardingTaskGroup { group in
            for await channel in port.accepted {
                group.addTask { await self.serve(channel) }
            }
            group.cancelAll()
        }
    }

    /// Listens whenever the terminal takes connections. One that refuses them has its port closed; those that are open
    /// stay.
    func keepListening(_ port: StreamPort) async {
        for await _ in door.changes where door.wantsListener {
            await listen(port)
        }
        port.close()
    }

    private func listen(_ streams: StreamPort) async {
        for attempt in 1...Self.listeningAttempts where door.wantsListener {
            do {
                door.listen(try await streams.listen(host: host, port: port))
            } catch {
                if attempt == Self.listeningAttempts {
                    fail(EmulatorError("cannot listen on \(host):\(port) again: \(error)"))
                }
                guard (try? await time.sleep(for: Self.listeningPause)) != nil else { return }
            }
        }
    }

    /// Somebody else may have got the number for a moment.
    private static let listeningAttempts = 20
    private static let listeningPause = Duration.milliseconds(100)

    private func serve(_ channel: any Channel) async {
        guard let link = await StreamPort.link(channel) else { return }
        let id = number()
        let (writes, continuation) = AsyncStream.makeStream(
            of: WritePlan.Write.self, bufferingPolicy: .bufferingOldest(Self.largestBacklog))
        outlets[id] = .link(continuation, link.channel)
        handle(.connected(id, .tcp))
        // A broken link is how clients go away: the machine hears of it below, and nobody else needs to.
        try? await link.executeThenClose { inbound, outbound in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.read(inbound, from: id) }
                group.addTask { await self.write(writes, to: outbound) }
                await group.next()
                group.cancelAll()
            }
        }
        outlets[id] = nil
        handle(.disconnected(id))
    }

    private func read(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, from id: Int) async {
        var decoder = FrameDecoder()
        do {
            for try await buffer in inbound {
                decoder.append(buffer.readableBytesView)
                while let packet = try decoder.next() {
                    handle(.received(id, packet))
                }
            }
        } catch {
            // Not this protocol, or a broken link. Either way the connection ends here.
        }
    }

    private nonisolated func write(
        _ writes: AsyncStream<WritePlan.Write>, to outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async {
        do {
            for await write in writes {
                if write.pauseBefore > .zero { try await time.sleep(for: write.pauseBefore) }
                try await outbound.write(ByteBuffer(bytes: write.bytes))
                if write.pauseAfter > .zero { try await time.sleep(for: write.pauseAfter) }
            }
        } catch {
            // The client has gone; the reader sees it too.
        }
    }
}
