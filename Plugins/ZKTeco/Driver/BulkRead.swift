internal import DeviceKit
internal import ZKTecoWire

/// Reads sets of data: prepared and in chunks where the terminal can, else directly.
struct BulkRead: Sendable {
    let link: ZKTecoLink
    let settings: ZKTecoSettings
    let memory: TransportMemory
    let log: any DriverLog

    /// A set that is ready to be read.
    enum Source: Sendable {
        /// All of it, the length prefix included.
        case whole([UInt8])
        /// Prepared in the terminal: so many bytes, the length prefix included.
        case prepared(byteCount: Int)
    }

    /// More than any terminal holds: 400,000 records of 40 bytes are 16 MB.
    static let maximumByteCount = 256 << 20
    /// What a direct read may bring: it has to be held in memory.
    static let maximumDirectByteCount = 32 << 20
    private static let attempts = 3
    /// The most that public clients ask for over UDP, and what terminals put into one datagram.
    static let datagramChunkByteCount = 16_384
    static let usualDatagram = 1_024
    /// Data that follows its own end comes at once, if it comes.
    private static let stragglers = Duration.seconds(2)

    /// The most to ask for in one ``chunk(start:byteCount:)``.
    var chunkByteCount: Int { link.isDatagram ? Self.datagramChunkByteCount : ChunkRequest.maximumByteCount }

    /// Asks for a set; falls back on the direct read of old terminals when preparing is refused.
    func open(_ request: BulkRequest) async throws(DeviceFault) -> Source {
        let answer = try await link.request(
            Command.prepareBuffer, request.payload, within: settings.preparationTimeout)
        switch answer.code {
        case Command.data: return .whole(answer.payload)
        case Reply.ok:
            do throws(WireError) {
                let announced = try BulkAnnouncement(payload: answer.payload)
                guard announced.byteCount <= UInt32(Self.maximumByteCount) else {
                    throw WireError("a set of \(announced.byteCount) bytes is announced")
                }
                return .prepared(byteCount: Int(announced.byteCount))
            } catch {
                throw DeviceFault(.malformed, "the answer to PREPARE_BUFFER: \(error)", evidence: answer.payload)
            }
        case Reply.accessControlMode: throw OpeningFaults.accessControlMode
        default:
            log.debug("buffered read refused, reading directly", ["answer": String(answer.code)])
            return .whole(try await readDirectly(request))
        }
    }

    /// Bytes of the prepared set. All of them: a shortened answer is asked for again, and is a fault in the end.
    func chunk(start: Int, byteCount: Int) async throws(DeviceFault) -> [UInt8] {
        if link.isDatagram { return try await chunkOfDatagrams(start: start, byteCount: byteCount) }
        let request = ChunkRequest(start: Int32(clamping: start), byteCount: Int32(clamping: byteCount))
        for attempt in 1...Self.attempts {
            let bytes = try await link.exchange(Command.readBuffer, request.payload) {
                exchange throws(DeviceFault) in
                try await receive(exchange, firstWithin: settings.preparationTimeout, limit: byteCount)
            }
            if let bytes, bytes.count == byteCount { return bytes }
            log.debug(
                "a chunk came short",
                ["start": String(start), "received": String(bytes?.count ?? 0), "attempt": String(attempt)])
        }
        throw DeviceFault(
            .incomplete,
            "the terminal sent less than the \(byteCount) bytes of its log from \(start), \(Self.attempts) times")
    }

    /// Releases the prepared set.
    func free() async throws(DeviceFault) {
        _ = try await link.request(Command.freeData, within: settings.replyTimeout)
    }

    /// A whole set in memory, for those that are small.
    func readWhole(_ request: BulkRequest) async throws(DeviceFault) -> [UInt8] {
        switch try await open(request) {
        case .whole(let bytes): return bytes
        case .prepared(let byteCount):
            guard byteCount <= Self.maximumDirectByteCount else {
                throw DeviceFault(.oversize, "a table of \(byteCount) bytes is announced")
            }
            var bytes: [UInt8] = []
            while bytes.count < byteCount {
                let wanted = min(chunkByteCount, byteCount - bytes.count)
                bytes += try await chunk(start: bytes.count, byteCount: wanted)
            }
            try await free()
            return bytes
        }
    }

    private func readDirectly(_ request: BulkRequest) async throws(DeviceFault) -> [UInt8] {
        let payload: [UInt8] = request.command == Command.usersRead ? [UInt8(truncatingIfNeeded: request.function)] : []
        let bytes: [UInt8]?
        if link.isDatagram {
            bytes = try await readDirectlyInDatagrams(request, payload)
        } else {
            bytes = try await link.exchange(request.command, payload) { exchange throws(DeviceFault) in
                try await receive(
                    exchange, firstWithin: settings.preparationTimeout, limit: Self.maximumDirectByteCount)
            }
        }
        // A terminal without records refuses to send them.
        return bytes ?? [0, 0, 0, 0]
    }

    /// PREPARE_DATA, DATA, ACK_OK, or one DATA alone. `nil` when the terminal refuses; fewer bytes than announced when it
    /// has sent no more.
    private func receive(
        _ exchange: ZKTecoLink.Exchange, firstWithin: Duration, limit: Int
    ) async throws(DeviceFault) -> [UInt8]? {
        var assembly = StreamAssembly(limit: limit)
        try assembly.add(try await exchange.answer(within: firstWithin))
        while true {
            switch assembly.state {
            case .refused: return nil
            case .whole: return assembly.bytes
            case .closed:
                guard let frame = try await exchange.answerIfAny(within: Self.stragglers) else { return assembly.bytes }
                try assembly.add(frame)
            case .waiting, .receiving:
                try assembly.add(
                    try await exchange.answer(
                        within: assembly.bytes.isEmpty ? firstWithin : settings.replyTimeout))
            }
        }
    }
}
