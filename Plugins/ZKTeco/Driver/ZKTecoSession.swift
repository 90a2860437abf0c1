internal import DeviceKit
internal import Synchronization
internal import ZKTecoWire

/// One conversation with a terminal.
final class ZKTecoSession: DeviceSession {
    let identity: DeviceIdentity

    let link: ZKTecoLink
    let settings: ZKTecoSettings
    let bulk: BulkRead
    private let context: DriverContext
    private let reading = Mutex<LogReading?>(nil)
    private let people = Mutex<[UInt16: String]?>(nil)
    /// When the end of the log was last compared with what was read before.
    private let comparedAt = Mutex<Duration?>(nil)
    private let isClosed = Mutex(false)

    /// A reading that nobody continued for so long is of no use: the log has grown since.
    private static let readingLifetime = Duration.seconds(600)
    /// A log of an equal count is looked at again after so long.
    private static let comparisonInterval = Duration.seconds(3_600)
    /// What a polite goodbye may take.
    private static let farewellLimit = Duration.seconds(1)
    private static let maximumBatchCount = 500

    init(
        link: ZKTecoLink, identity: DeviceIdentity, settings: ZKTecoSettings, memory: TransportMemory,
        context: DriverContext
    ) {
        self.link = link
        self.identity = identity
        self.settings = settings
        self.context = context
        bulk = BulkRead(link: link, settings: settings, memory: memory, log: context.log)
    }

    func close() async {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if !wasClosed { await sayFarewell(Command.exit) }
        await link.close()
    }

    /// Sent also when the caller was cancelled: a terminal that is left without goodbye may stay busy for minutes.
    private func sayFarewell(_ code: UInt16, _ payload: [UInt8] = []) async {
        let (link, time) = (link, context.time)
        await Task {
            // The limit also covers waiting for a request that is under way.
            _ = await time.withDeadline(Self.farewellLimit) {
                _ = try? await link.request(code, payload, within: Self.farewellLimit)
            }
        }.value
    }

    /// Sent also when the caller was cancelled, and whatever comes of it: it leaves the terminal as it is found usually.
    func sayAfterwards(_ code: UInt16, _ payload: [UInt8] = []) async {
        let (link, limit) = (link, settings.replyTimeout)
        await Task { _ = try? await link.request(code, payload, within: limit) }.value
    }

    /// Nobody is there to say goodbye to.
    func markClosed() { isClosed.withLock { $0 = true } }

    func request(_ code: UInt16, _ payload: [UInt8] = []) async throws(DeviceFault) -> Packet {
        try await link.request(code, payload, within: settings.replyTimeout)
    }
}

extension ZKTecoSession: PollingSession {
    func poll(_ request: PollRequest) async throws(DeviceFault) -> PollPage {
        // Taken out while it moves: a poll that fails or is cancelled leaves no half-read page behind.
        var current = reading.withLock { $0.take() }
        if let old = current, !canContinue(old, at: request.cursor) {
            try await old.finish()
            current = nil
        }
        if current == nil {
            switch try await begin(after: request.cursor) {
            case .empty: return try emptyPage(request.cursor)
            case .unchanged(let inventory):
                return PollPage(records: [], cursor: try unannounced(request.cursor), inventory: inventory)
            case .reading(let reading): current = reading
            }
        }
        guard var log = current else { return try emptyPage(request.cursor) }
        let page = try await log.page(limit: request.limit, people: people.withLock { $0 } ?? [:])
        if page.hasMore {
            let kept = log
            reading.withLock { $0 = kept }
        } else {
            try await log.finish()
        }
        return page
    }

    /// The place without the note that the log is about to be cleared: it was not.
    private func unannounced(_ cursor: Cursor?) throws(DeviceFault) -> Cursor? {
        guard let cursor, var place = try? ZKTecoCursor(cursor), place.expectsClearing else { return cursor }
        place.expectsClearing = false
        return place.cursor
    }

    /// Releases a log that is prepared for the next page: the terminal holds one set ready, and this one has to go.
    func dropReading() async throws(DeviceFault) {
        if let old = reading.withLock({ $0.take() }) { try await old.finish() }
    }

    /// The next poll compares the end of the log, whatever the counts.
    func forgetComparison() { comparedAt.withLock { $0 = nil } }

    /// The slots of people have changed.
    func forgetPeople() { people.withLock { $0 = nil } }

    private func canContinue(_ reading: LogReading, at cursor: Cursor?) -> Bool {
        cursor != nil && reading.cursor == cursor
            && context.time.uptime() - reading.startedAt < Self.readingLifetime
    }

    private enum Beginning {
        case empty
        /// As many records as before, and their last ones were looked at not long ago.
        case unchanged(LogInventory)
        case reading(LogReading)
    }

    private func begin(after cursor: Cursor?) async throws(DeviceFault) -> Beginning {
        var covered: ZKTecoCursor?
        if let cursor { covered = try ZKTecoCursor(cursor) }
        let inventory = try await readInventory()
        if let covered, isUnchanged(covered, inventory) { return .unchanged(inventory) }
        guard let log = try await prepare(covered, inventory) else { return .empty }
        guard log.needsPeople, people.withLock({ $0 == nil }) else { return .reading(log) }
        // The short records name slots. The terminal holds one prepared set, so the log has to be prepared again.
        try await log.finish()
        let codes = Dictionary(
            try await readUserTable().users.map { ($0.uid, $0.code) }, uniquingKeysWith: { first, _ in first })
        people.withLock { $0 = codes }
        guard let again = try await prepare(covered, try await readInventory()) else { return .empty }
        return .reading(again)
    }

    /// Equal counts mean an equal log, unless it was cleared and filled again: so its end is compared now and then. A log
    /// that may be full keeps its count while new records overwrite old ones: its end is compared at every poll.
    private func isUnchanged(_ covered: ZKTecoCursor, _ inventory: LogInventory) -> Bool {
        guard prefersTail(covered), covered.recordCount > 0,
            let count = inventory.recordCount, UInt64(count) == covered.recordCount,
            !inventory.mayHaveOverwritten(recordCount: count)
        else { return false }
        return comparedAt.withLock { $0.map { context.time.uptime() - $0 < Self.comparisonInterval } ?? false }
    }

    private func prefersTail(_ covered: ZKTecoCursor) -> Bool {
        switch settings.logReadChoice {
        case .full: false
        case .tail: covered.serialNumber == serialNumber
        case .auto:
            covered.serialNumber == serialNumber && !covered.refusesTails
                && context.time.now() - covered.readInFullAt < settings.auditInterval
        }
    }

    private func prepare(
        _ covered: ZKTecoCursor?, _ inventory: LogInventory
    ) async throws(DeviceFault) -> LogReading? {
        let log = try await LogReading.begin(
            bulk, serialNumber: serialNumber, covered: covered, prefersTail: covered.map { prefersTail($0) } ?? false,
            inventory: inventory, time: context.time)
        comparedAt.withLock { $0 = context.time.uptime() }
        return log
    }

    /// The place in an empty log; a reset when it was not empty before.
    private func emptyPage(_ cursor: Cursor?) throws(DeviceFault) -> PollPage {
        var reset: SourceReset?
        if let cursor {
            let covered = try ZKTecoCursor(cursor)
            if covered.serialNumber != serialNumber {
                reset = SourceReset(
                    .deviceReplaced, "the terminal has the serial number \(serialNumber) and an empty log")
            } else if covered.recordCount > 0 {
                reset = SourceReset(
                    covered.lossReason, "the log is empty; \(covered.recordCount) records were read before")
            }
        }
        let place = ZKTecoCursor(serialNumber: serialNumber, recordCount: 0, digest: LogDigest().value)
        return PollPage(
            records: [], cursor: place.cursor, inventory: LogInventory(recordCount: 0), reset: reset)
    }

    /// Terminals without a serial number are told apart by their hardware address.
    var serialNumber: String { identity.serialNumber ?? identity.macAddress ?? "" }
}

extension ZKTecoSession: IdentityReading {
    func readIdentity() async throws(DeviceFault) -> DeviceIdentity {
        try await IdentityQuestions(link: link, timeout: settings.replyTimeout).ask()
    }
}

extension ZKTecoSession: CapturingSession {
    func capture(into receiver: any PunchReceiver) async throws(DeviceFault) {
        link.beginCapture()
        defer { link.endCapture() }
        try await subscribe(true)
        await receiver.subscribed()
        do throws(DeviceFault) {
            while true {
                let events = try await link.events(limit: Self.maximumBatchCount)
                let batch = batch(of: events)
                if !batch.records.isEmpty || !batch.rejected.isEmpty { try await receiver.receive(batch) }
                // Only now: what was received is durable.
                try await link.acknowledge(events)
            }
        } catch {
            if error.kind == .cancelled { await sayFarewell(Command.registerEvents, [0, 0, 0, 0]) }
            throw error
        }
    }

    private func subscribe(_ isOn: Bool) async throws(DeviceFault) {
        try await registerEvents(isOn ? EventFlag.attendance : 0)
    }

    static func mask(_ flags: UInt16) -> [UInt8] {
        var mask = ByteWriter(capacity: 4)
        mask.u32(UInt32(flags))
        return mask.bytes
    }

    func registerEvents(_ flags: UInt16) async throws(DeviceFault) {
        let answer = try await request(Command.registerEvents, Self.mask(flags))
        guard answer.code == Reply.ok else { throw OpeningFaults.refused("REG_EVENT", answer) }
    }

    private func batch(of events: [Packet]) -> CaptureBatch {
        var batch = CaptureBatch(records: [])
        for packet in events {
            // The session field of an event is its flag.
            guard packet.session & EventFlag.attendance != 0 else {
                context.log.debug("an event that is no punch", ["flag": String(packet.session)])
                continue
            }
            for decoded in LiveEvent.decode(payload: packet.payload) {
                switch decoded {
                case .event(let event, let bytes): batch.records.append(RecordMapping.punch(event, bytes: bytes))
                case .undecodable(let error, let bytes):
                    batch.rejected.append(RejectedRecord(reason: "live event: \(error)", bytes: bytes))
                }
            }
        }
        return batch
    }
}

extension ZKTecoSession: KeepAlive, DeviceClock, LogInventoryReading {
    /// Over UDP no connection breaks when a terminal is restarted and forgets who listens: so the subscription is renewed.
    /// That this changes nothing where it still stands is not verified on hardware.
    func keepAlive() async throws(DeviceFault) {
        if link.isDatagram, link.isCapturing { return try await subscribe(true) }
        _ = try await request(Command.timeRead)
    }

    func readClock() async throws(DeviceFault) -> LocalDateTime {
        let answer = try await request(Command.timeRead)
        guard answer.code == Reply.ok else { throw OpeningFaults.refused("GET_TIME", answer) }
        var reader = ByteReader(answer.payload)
        guard let value = try? reader.u32(), let time = PackedTime.decode(value) else {
            throw DeviceFault(.malformed, "the terminal's clock shows no date", evidence: answer.payload)
        }
        return time
    }

    func setClock(_ time: LocalDateTime) async throws(DeviceFault) {
        guard (2000...2099).contains(time.date.year) else {
            throw DeviceFault(.invalidRequest, "a terminal's clock shows the years 2000 to 2099, not \(time)")
        }
        var payload = ByteWriter()
        payload.u32(PackedTime.encode(time))
        let answer = try await request(Command.timeWrite, payload.bytes)
        guard answer.code == Reply.ok else { throw OpeningFaults.refused("SET_TIME", answer) }
        _ = try await request(Command.refreshData)
    }

    /// Unknown counts are `nil`: some terminals answer with a single zero.
    func readInventory() async throws(DeviceFault) -> LogInventory {
        let answer = try await request(Command.counters)
        guard answer.code == Reply.ok else { throw OpeningFaults.refused("GET_FREE_SIZES", answer) }
        guard let counters = try? Counters(bytes: answer.payload) else { return LogInventory() }
        return LogInventory(
            recordCount: Int(max(counters.records, 0)), recordCapacity: Int(max(counters.recordCapacity, 0)),
            peopleCount: Int(max(counters.users, 0)))
    }
}
