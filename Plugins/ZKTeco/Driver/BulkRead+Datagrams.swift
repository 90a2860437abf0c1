internal import DeviceKit
internal import ZKTecoWire

// Over UDP: nothing is taken that could be in the wrong place or there twice.
extension BulkRead {
    /// So many answers in a row may bring nothing.
    private static let fruitlessAttempts = 12
    /// So many may be refusals or shorter than what was asked for.
    private static let shortAttempts = 3
    /// A whole set that cannot be asked for in parts is read so often.
    private static let readings = 8
    /// More datagrams than any answer has, copies included.
    private static let largestAnswer = 100_000
    /// Frames of an answer whose end has come may still be overtaken by it.
    private static let stragglers = Duration.milliseconds(50)

    /// Bytes of the prepared set: in large chunks where the terminal numbers its frames, of which then only those that
    /// were lost are asked for again; else in chunks of one frame, each with its own request.
    func chunkOfDatagrams(start: Int, byteCount: Int) async throws(DeviceFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var missing = [0..<byteCount]
        var (fruitless, short) = (0, 0)
        while let range = missing.first {
            let wanted = range.lowerBound..<range.lowerBound + min(range.count, frameOrChunk(fruitless))
            switch try await ask(start: start + wanted.lowerBound, byteCount: wanted.count) {
            case .whole(let piece, let numbering):
                bytes.replaceSubrange(wanted, with: piece)
                missing.removeFirst()
                if wanted.upperBound < range.upperBound { missing.insert(wanted.upperBound..<range.upperBound, at: 0) }
                if memory.numbering == .unknown { memory.numbering = numbering }
                fruitless = 0
            case .parts(let parts):
                missing.removeFirst()
                var gaps: [Range<Int>] = []
                var place = wanted.lowerBound
                for (offset, part) in parts.sorted(by: { $0.key < $1.key }) {
                    let begin = wanted.lowerBound + offset
                    bytes.replaceSubrange(begin..<begin + part.count, with: part)
                    if place < begin { gaps.append(place..<begin) }
                    place = begin + part.count
                }
                if place < range.upperBound { gaps.append(place..<range.upperBound) }
                missing.insert(contentsOf: gaps, at: 0)
                fruitless = 0
            case .unnumbered(let frameByteCount):
                memory.numbering = .unnumbered(frameByteCount: frameByteCount)
                fruitless += 1
            case .nothing: fruitless += 1
            case nil: short += 1
            }
            guard fruitless < Self.fruitlessAttempts else {
                throw DeviceFault(
                    .timedOut, "\(fruitless) answers in a row were lost on the way: the network is too bad")
            }
            guard short < Self.shortAttempts else {
                throw DeviceFault(
                    .incomplete,
                    "the terminal sent less than the \(byteCount) bytes of its log from \(start), \(short) times")
            }
        }
        return bytes
    }

    /// How much to ask for at once. Until it is known whether frames are numbered, less after each failure: of a few
    /// frames all arrive sooner.
    private func frameOrChunk(_ fruitless: Int) -> Int {
        switch memory.numbering {
        case .numbered: chunkByteCount
        case .unnumbered(let frameByteCount): frameByteCount
        case .unknown: max(chunkByteCount >> fruitless, Self.usualDatagram * 2)
        }
    }

    /// One answer. `nil` when the terminal refuses, or has less than was asked for.
    private func ask(start: Int, byteCount: Int) async throws(DeviceFault) -> ChunkAssembly.Outcome? {
        let request = ChunkRequest(start: Int32(clamping: start), byteCount: Int32(clamping: byteCount))
        let assembly = try await link.exchange(Command.readBuffer, request.payload) { exchange throws(DeviceFault) in
            try await collectDatagrams(exchange, ChunkAssembly(byteCount: byteCount))
        }
        guard let assembly, assembly.byteCount == byteCount else { return nil }
        return assembly.outcome(memory.numbering)
    }

    /// PREPARE_DATA, DATA and ACK_OK in whatever order and number they come. `nil` when the terminal refuses.
    private func collectDatagrams(
        _ exchange: ZKTecoLink.Exchange, _ wanted: ChunkAssembly
    ) async throws(DeviceFault) -> ChunkAssembly? {
        var assembly = wanted
        var next: Packet? = try await exchange.answer(within: settings.preparationTimeout)
        var count = 0
        while let packet = next, count < Self.largestAnswer {
            count += 1
            switch packet.code {
            case Command.data: assembly.add(packet)
            case Command.prepareData:
                guard let announced = try? ChunkAnnouncement(payload: packet.payload),
                    announced.byteCount <= UInt32(Self.maximumDirectByteCount)
                else { throw DeviceFault(.malformed, "the answer PREPARE_DATA", evidence: packet.payload) }
                assembly.announce(Int(announced.byteCount))
                if announced.byteCount == 0 { return assembly }
            case Reply.ok: assembly.close()
            default:
                // A refusal that comes among data belongs to a copy of the request.
                if assembly.isEmpty { return nil }
            }
            if assembly.isFull { return assembly }
            next = try await exchange.answerIfAny(
                within: assembly.isClosed ? min(Self.stragglers, link.patience) : link.patience)
        }
        return assembly
    }

    /// A set that old terminals give as a whole only. Where its frames are numbered, those that were lost may come with the
    /// next reading; else two readings have to agree, because a frame may have been overtaken.
    func readDirectlyInDatagrams(_ request: BulkRequest, _ payload: [UInt8]) async throws(DeviceFault) -> [UInt8]? {
        var together = ChunkAssembly()
        var last: [UInt8]?
        for _ in 0..<Self.readings {
            let reading = try await link.exchange(request.command, payload) { exchange throws(DeviceFault) in
                try await collectDatagrams(exchange, ChunkAssembly())
            }
            guard let reading else { return nil }
            // A small set may come as one DATA, without an announcement.
            if reading.byteCount == 0 {
                if let only = reading.onlyFrame { return only }
                if reading.isClosed, reading.isEmpty { return [0, 0, 0, 0] }
                continue
            }
            if together.byteCount != reading.byteCount { together = ChunkAssembly(byteCount: reading.byteCount) }
            together.add(reading)
            if case .whole(let bytes, _) = together.outcome(.unknown) { return bytes }
            if let bytes = reading.inOrderOfArrival {
                if bytes == last { return bytes }
                last = bytes
            }
        }
        throw DeviceFault(
            .incomplete,
            "the terminal's data was not twice the same in \(Self.readings) readings: datagrams are lost on the way")
    }
}
