internal import DeviceKit
internal import ZKTecoWire

// The reader: takes packets off the transport, and gives each to whom it is for.
extension ZKTecoLink {
    /// Until the link ends.
    func read() async {
        do throws(DeviceFault) {
            if isDatagram { try await readDatagrams() } else { try await readStream() }
            end(DeviceFault(.connectionLost, "the terminal closed the connection"))
        } catch {
            end(error)
        }
    }

    private func readStream() async throws(DeviceFault) {
        var decoder = FrameDecoder()
        while let bytes = try await transport.receive() {
            decoder.append(bytes)
            while let packet = try Self.next(&decoder) { await sort(packet) }
        }
    }

    private static func next(_ decoder: inout FrameDecoder) throws(DeviceFault) -> Packet? {
        do throws(FrameError) {
            return try decoder.next()
        } catch {
            throw OpeningFaults.fault(for: error)
        }
    }

    private func readDatagrams() async throws(DeviceFault) {
        while let datagram = try await transport.receive() {
            do throws(WireError) {
                await sort(try Packet(bytes: datagram[...]))
            } catch {
                let count = state.withLock { state in
                    state.damaged += 1
                    return state.damaged
                }
                log.debug("dropped a damaged datagram", ["reason": error.description, "so far": String(count)])
            }
        }
    }

    private func sort(_ packet: Packet) async {
        guard packet.code == Command.registerEvents else {
            let isWanted = state.change(waking: .answer) { $0.keepAnswer(packet, inOrder: !isDatagram) }
            if !isWanted { log.debug("dropped an answer that nobody waits for", ["code": String(packet.code)]) }
            return
        }
        if state.change(waking: .sensor, { $0.keepSensorEvent(packet) }) { return }
        // When the task is cancelled, the link is being closed.
        let _: Bool? = await state.wait(at: .room) { $0.isFull ? nil : true }
        state.change(waking: .event) { $0.keepEvent(packet) }
    }

    /// Nothing more will arrive.
    func end(_ fault: DeviceFault) {
        state.changeForAll { $0.ending = $0.ending ?? fault }
    }
}
