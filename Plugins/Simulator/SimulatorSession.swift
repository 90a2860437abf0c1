internal import DeviceKit

/// One conversation with a simulated terminal.
struct SimulatorSession: DeviceSession {
    let identity: DeviceIdentity

    let log: SimulatedLog
    let link: SimulatedLink
    let site: SimulatedSite
    let context: DriverContext

    /// At most so many punches in a batch: what a terminal sends in one burst.
    private static let maximumBatchCount = 256

    init(log: SimulatedLog, faults: SimulatedFaults, site: SimulatedSite, context: DriverContext) {
        self.log = log
        self.site = site
        self.context = context
        link = SimulatedLink(faults: faults, time: context.time)
        identity = DeviceIdentity(
            serialNumber: log.plan.serialNumber, registrationNumber: "simulator", model: "Simulator",
            firmware: SimulatorDriver.manifest.version)
    }

    func close() async { link.close() }
}

extension SimulatorSession: PollingSession {
    func poll(_ request: PollRequest) async throws(DeviceFault) -> PollPage {
        try await link.exchange()
        let now = context.time.now()
        let (start, reset) = try place(after: request.cursor, at: now)
        let page = log.page(from: start, upTo: now, limit: request.limit)
        let end = LogCursor(serialNumber: log.plan.serialNumber, position: page.next)
        return PollPage(
            records: page.events.map(\.record), cursor: end.cursor, hasMore: page.hasMore, reset: reset)
    }

    /// Where to read on. A cursor of another terminal is no use: the log is then read from its beginning.
    private func place(
        after cursor: Cursor?, at now: Instant
    ) throws(DeviceFault) -> (SimulatedLog.Position, SourceReset?) {
        let beginning = log.beginning(at: now)
        guard let cursor else { return (beginning, nil) }
        let place = try LogCursor(cursor)
        guard place.serialNumber == log.plan.serialNumber else {
            let message = "the place in the log belongs to \(place.serialNumber), this is \(log.plan.serialNumber)"
            return (beginning, SourceReset(.deviceReplaced, message))
        }
        return (max(place.position, beginning), nil)
    }
}

extension SimulatorSession: IdentityReading {
    func readIdentity() async throws(DeviceFault) -> DeviceIdentity {
        try await link.exchange()
        return identity
    }
}

extension SimulatorSession: CapturingSession {
    func capture(into receiver: any PunchReceiver) async throws(DeviceFault) {
        try await link.exchange()
        var place = log.end(at: context.time.now())
        var damage = CaptureDamage(link.faults)
        await receiver.subscribed()
        while true {
            try await waitForPunch(after: place)
            let page = log.page(from: place, upTo: context.time.now(), limit: Self.maximumBatchCount)
            place = page.next
            let records = damage.apply(to: page.events.map(\.record))
            // The terminal would be acknowledged here, after `receive` has returned and not before.
            if !records.isEmpty { try await receiver.receive(CaptureBatch(records: records)) }
        }
    }

    /// Returns when a punch is there. On a silent link none ever is.
    private func waitForPunch(after place: SimulatedLog.Position) async throws(DeviceFault) {
        while true {
            let state = try link.state()
            let now = context.time.now()
            let next = log.nextInstant(after: place) ?? now + .seconds(3_600)
            if state == .working, next <= now { return }
            try await link.sleep(for: state == .working ? next - now : .seconds(3_600))
        }
    }
}

extension SimulatorSession: KeepAlive, DeviceClock, LogInventoryReading, PeopleReading {
    func keepAlive() async throws(DeviceFault) { try await link.exchange() }

    func readClock() async throws(DeviceFault) -> LocalDateTime {
        try await link.exchange()
        let shown = context.timeZone.localTime(at: context.time.now())
        return shown.advanced(bySeconds: log.plan.clockSkewSeconds + link.clockCorrection)
    }

    /// Moves what the clock shows until the session ends. The punches keep the skew of the settings, because the log
    /// must not depend on what was done to the terminal.
    func setClock(_ time: LocalDateTime) async throws(DeviceFault) {
        let shown = try await readClock()
        link.correctClock(bySeconds: time.wallSeconds - shown.wallSeconds)
    }

    func readInventory() async throws(DeviceFault) -> LogInventory {
        try await link.exchange()
        let now = context.time.now()
        let beginning = log.beginning(at: now)
        return LogInventory(
            recordCount: log.count(from: beginning, upTo: now), peopleCount: site.people(log.crew).count,
            oldest: log.page(from: beginning, upTo: now, limit: 1).events.first?.record.localTime)
    }

    func readPeople() async throws(DeviceFault) -> [Person] {
        try await link.exchange()
        return site.people(log.crew)
    }
}
