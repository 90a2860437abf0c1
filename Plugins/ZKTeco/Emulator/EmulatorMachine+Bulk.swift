internal import DeviceKit
internal import ZKTecoWire

// Sets that are read as a whole or in chunks.
extension EmulatorMachine {
    mutating func serveData(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        switch packet.code {
        case Command.prepareBuffer: return [prepare(packet, id)]
        case Command.readBuffer: return readChunk(packet, id)
        case Command.freeData:
            connections[id]?.prepared = nil
            connections[id]?.upload = nil
            return [reply(packet, id)]
        // Old clients ask for the set itself.
        default:
            guard let set = set(for: packet.code) else { return [reply(packet, id, Reply.error)] }
            return chunk(set.bytes(from: 0, byteCount: set.byteCount), packet, id)
        }
    }

    private mutating func prepare(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        if let refusal = options.preparationRefusal ?? (faults.has(.refuseBuffer) ? Reply.error : nil) {
            return reply(packet, id, refusal)
        }
        guard let request = try? BulkRequest(payload: packet.payload), let set = set(for: request.command) else {
            return reply(packet, id, Reply.error)
        }
        if set.byteCount <= connections[id]?.inlineByteCount ?? 0 {
            connections[id]?.prepared = nil
            return reply(packet, id, Command.data, set.bytes(from: 0, byteCount: set.byteCount))
        }
        connections[id]?.prepared = set
        connections[id]?.chunkEnd = 0
        return reply(
            packet, id, Reply.ok, BulkAnnouncement(byteCount: UInt32(clamping: set.byteCount)).payload)
    }

    private func set(for command: UInt16) -> PreparedSet? {
        switch command {
        case Command.logRead: return .log(log)
        case Command.usersRead:
            var writer = ByteWriter(capacity: 4 + people.count * userLayout.byteCount)
            writer.u32(UInt32(clamping: people.count * userLayout.byteCount))
            for person in people { writer.append(userLayout.encode(person.record)) }
            return .bytes(writer.bytes)
        case Command.templatesRead: return .bytes(TemplateTable.encode(templates.all))
        case Command.operationLogRead: return .bytes(operations.set)
        default: return nil
        }
    }

    private mutating func readChunk(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        guard let set = connections[id]?.prepared, let request = try? ChunkRequest(payload: packet.payload),
            request.start >= 0, request.byteCount >= 0, Int(request.start) <= set.byteCount
        else { return [reply(packet, id, Reply.error)] }
        var start = Int(request.start)
        let follows = start == 0 || start == connections[id]?.chunkEnd
        switch options.chunkStart {
        case .honoured: break
        case .refused: guard follows else { return [reply(packet, id, Reply.error)] }
        case .ignored: if !follows { start = connections[id]?.chunkEnd ?? 0 }
        }
        let bytes = set.bytes(from: start, byteCount: Int(request.byteCount))
        connections[id]?.chunkEnd = start + bytes.count
        return chunk(bytes, packet, id)
    }

    /// PREPARE_DATA with both lengths, DATA, ACK_OK.
    func chunk(_ bytes: [UInt8], _ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        let largest = connections[id]?.largestData ?? 1
        let pieceByteCount = max(1, min(options.dataByteCount ?? largest, largest))
        let announced = ChunkAnnouncement(
            byteCount: UInt32(clamping: bytes.count), frameByteCount: UInt32(clamping: pieceByteCount))
        var effects = [reply(packet, id, Command.prepareData, announced.payload, .paced)]
        for (index, start) in stride(from: 0, to: bytes.count, by: pieceByteCount).enumerated() {
            let piece = Array(bytes[start..<min(start + pieceByteCount, bytes.count)])
            effects.append(data(piece, number: index, packet, id))
        }
        effects.append(reply(packet, id))
        return effects
    }

    private func data(_ piece: [UInt8], number: Int, _ request: Packet, _ id: Int) -> EmulatorEffect {
        let session = options.numbersData ? UInt16(truncatingIfNeeded: number) : connections[id]?.session ?? 0
        let packet = Packet(
            code: Command.data, session: session, replyNumber: request.replyNumber, payload: piece)
        return .send(id, packet, .paced)
    }
}
