internal import DeviceKit
internal import NIOCore
internal import NIOPosix
internal import ZKTecoWire

// UDP: one port for all clients.
extension EmulatorServer {
    struct DatagramWrite: Sendable {
        let datagram: [UInt8]
        let address: SocketAddress
        let pauseAfter: Duration
    }

    func serve(_ port: NIOAsyncChannel<EmulatorPorts.Datagram, EmulatorPorts.Datagram>) async throws {
        let (writes, continuation) = AsyncStream.makeStream(
            of: DatagramWrite.self, bufferingPolicy: .bufferingOldest(Self.largestBacklog))
        datagramWrites = continuation
        try await port.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for try await envelope in inbound {
                        await self.receive(Array(envelope.data.readableBytesView), from: envelope.remoteAddress)
                    }
                }
                group.addTask { try await self.write(writes, to: outbound) }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func receive(_ datagram: [UInt8], from address: SocketAddress) {
        for datagram in network.inwards.pass(datagram) {
            // What is no packet is ignored: over UDP nothing is out of step.
            guard let packet = try? Packet(bytes: datagram[...]) else { continue }
            handle(.received(client(at: address), packet))
        }
    }

    private func client(at address: SocketAddress) -> Int {
        let now = time.uptime()
        if let known = sessions.client(at: address, now: now) { return known }
        for gone in sessions.removeExpired(now: now) { forget(gone) }
        let id = number()
        sessions.add(id, at: address, now: now)
        outlets[id] = .datagrams(address)
        handle(.connected(id, .udp))
        return id
    }

    func forget(_ id: Int) {
        sessions.remove(id)
        outlets[id] = nil
        handle(.disconnected(id))
    }

    private nonisolated func write(
        _ writes: AsyncStream<DatagramWrite>,
        to outbound: NIOAsyncChannelOutboundWriter<EmulatorPorts.Datagram>
    ) async throws {
        for await write in writes {
            let envelope = AddressedEnvelope(remoteAddress: write.address, data: ByteBuffer(bytes: write.datagram))
            // A client that is not there any more must not end the port for the others.
            try? await outbound.write(envelope)
            if write.pauseAfter > .zero { try await time.sleep(for: write.pauseAfter) }
        }
    }
}
