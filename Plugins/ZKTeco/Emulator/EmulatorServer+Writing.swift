internal import DeviceKit
internal import NIOCore
internal import ZKTecoWire

// What a client gets, over either transport.
extension EmulatorServer {
    /// A frame on its way out.
    struct Outgoing {
        let packet: Packet
        let flow: FrameFlow
        var isDamaged = false

        /// The second half of the header's second field is the checksum.
        func damaged(_ bytes: [UInt8], at offset: Int) -> [UInt8] {
            guard isDamaged, bytes.indices.contains(offset) else { return bytes }
            var bytes = bytes
            bytes[offset] ^= 0xFF
            return bytes
        }
    }

    func write(_ frames: [Outgoing], to id: Int) {
        guard failure == nil, let outlet = outlets[id] else { return }
        switch outlet {
        case .link(let writes, let channel):
            let plan = WritePlan(options, machine.faults)
            for write in plan.writes(frames.map { ($0.damaged(Frame.bytes($0.packet), at: 10), $0.flow) }) {
                if case .dropped = writes.yield(write) {
                    channel.close(promise: nil)
                    return
                }
            }
        case .datagrams(let address):
            // A full queue loses datagrams, as a full buffer of a switch does.
            let delay = machine.faults.delay
            for (frame, write) in zip(frames, DatagramPlan.writes(frames.map(\.packet))) {
                for datagram in network.outwards.pass(frame.damaged(write.packet.bytes, at: 2)) {
                    datagramWrites?.yield(
                        DatagramWrite(datagram: datagram, address: address, pauseAfter: write.pauseAfter + delay))
                }
            }
        }
    }

    /// What was written before still goes out.
    func close(_ id: Int) {
        switch outlets[id] {
        case .link(let writes, _): writes.finish()
        case .datagrams: forget(id)
        case nil: break
        }
    }
}
