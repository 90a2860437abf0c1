public import DeviceKit
public import Journal
internal import Synchronization

/// What a poll on request brought, as scripts read it.
public struct SyncResult: Sendable, Hashable {
    public var device: DeviceID
    public var name: String
    /// Punches that the journal did not have.
    public var synced: Int
    /// Punches of today in the journal, by the device's wall clock.
    public var today: Int
    public var duplicates: Int
    /// Records that did not decode, and records from before the schedule's window.
    public var rejected: Int
    public var skipped: Int
    /// Every punch that was made before this instant is in the journal; `nil` while that is not known.
    public var completeThrough: Instant?
    /// `nil` when the log was read to its end.
    public var fault: DeviceFault?

    public var isSuccess: Bool { fault == nil }

    init(_ device: HostConfiguration.Device, _ outcome: Result<PollSummary, DeviceFault>, today: Int) {
        self.device = device.id
        name = device.name
        self.today = today
        let summary = (try? outcome.get()) ?? PollSummary()
        synced = summary.journaled
        duplicates = summary.duplicates
        rejected = summary.rejected
        skipped = summary.skipped
        if case .failure(let fault) = outcome { self.fault = fault }
    }

    /// The stable keys of scripts: `success, device_id, device_name, logs_synced, total_today_logs, duplicates, error`.
    public var json: RawJSON {
        var writer = JSONObjectWriter()
        writer.member("success", isSuccess)
        writer.member("device_id", device.name)
        writer.member("device_name", name)
        writer.member("logs_synced", synced)
        writer.member("total_today_logs", today)
        writer.member("duplicates", duplicates)
        writer.member("rejected", rejected)
        writer.member("skipped", skipped)
        writer.member("complete_through", completeThrough?.description)
        writer.member("error", fault?.message)
        writer.member("error_code", fault?.code.rawValue)
        return writer.finish()
    }
}

/// Polls devices once, without a running host.
public struct DeviceSync: Sendable {
    private let drivers: DriverServices
    private let services: @Sendable () async throws(JournalError) -> HostServices

    /// So many devices are polled at the same time.
    private static let concurrency = 8

    public init(_ services: HostServices) {
        self.init(services.drivers) { () async throws(JournalError) in services }
    }

    /// - Parameter services: waits for what may take as long as a session: the journal can be opened meanwhile.
    init(_ drivers: DriverServices, services: @escaping @Sendable () async throws(JournalError) -> HostServices) {
        self.drivers = drivers
        self.services = services
    }

    /// Opens a session, reads the log into the journal and closes.
    /// - Throws: what the journal was opened with; nothing was read then.
    public func sync(
        _ device: HostConfiguration.Device, progress: (@Sendable (PollProgress) -> Void)? = nil
    ) async throws(JournalError) -> SyncResult {
        let session = await open(device)
        let services: HostServices
        do throws(JournalError) {
            services = try await self.services()
        } catch {
            await (try? session.get())?.close()
            throw error
        }
        switch session {
        case .failure(let fault): return await services.result(device, .failure(fault))
        case .success(let session):
            let outcome = await Poll(device: device, services: services, progress: progress).outcome(session)
            async let closing: Void = session.close()
            let result = await services.result(device, outcome)
            await closing
            return result
        }
    }

    /// Several devices side by side; results come in the order of `devices`.
    public func sync(
        _ devices: [HostConfiguration.Device], progress: (@Sendable (PollProgress) -> Void)? = nil
    ) async throws(JournalError) -> [SyncResult] {
        let results = await devices.concurrently(Self.concurrency) { device in
            await Result { () async throws(JournalError) in try await sync(device, progress: progress) }
        }
        var all: [SyncResult] = []
        for result in results { all.append(try result.get()) }
        return all
    }

    private func open(_ device: HostConfiguration.Device) async -> Result<any DeviceSession, DeviceFault> {
        await Result { () async throws(DeviceFault) in
            let driver = try device.driver.make(device.settings, context: drivers.context(for: device))
            return try await SessionRunner.open(driver, within: device.lifecycle.openTimeout, time: drivers.time)
        }
    }
}

/// One poll of one device.
private struct Poll: Sendable {
    let device: HostConfiguration.Device
    let services: HostServices
    let progress: (@Sendable (PollProgress) -> Void)?

    func outcome(_ session: any DeviceSession) async -> Result<PollSummary, DeviceFault> {
        await Result { () async throws(DeviceFault) in try await run(session) }
    }

    /// Keeps what is learned for the listing of devices, as the running host does.
    private func run(_ session: any DeviceSession) async throws(DeviceFault) -> PollSummary {
        guard let polling = session as? any PollingSession else {
            throw DeviceFault(.unsupported, "the driver \(device.driver.manifest.id) does not read logs")
        }
        var keeper = await services.keeper(for: device)
        let trusted = keeper.status.acceptedSerial
        let isAccepted = keeper.identified(session.identity, now: services.time.now())
        // Before anything is taken: a first device stays the trusted one although its log is not read to its end.
        if !isAccepted || keeper.status.acceptedSerial != trusted { await services.save(&keeper, device) }
        guard isAccepted else { throw keeper.heldFault }
        guard (try? await services.gate.wait(device.id, site: device.site)) != nil else { throw .cancelled }
        defer { services.gate.leave(device.id) }
        let reading = try await ClockQuestion(time: services.time).ask(session)
        let start = services.time.uptime()
        keeper.look(now: services.time.now(), uptime: start)
        keeper.pollBegan(reading, now: services.time.now(), uptime: start)
        if let reading { _ = keeper.clockRead(reading) }
        let findings = Findings()
        var poll = services.logPoll(for: device)
        poll.progress = progress
        poll.found = { findings.add($0, $1) }
        let summary = try await poll.run(polling)
        let now = services.time.now()
        for (inventory, reset) in findings.all { keeper.found(inventory, reset, now: now) }
        keeper.polled(summary, took: services.time.uptime() - start, now: now)
        await services.save(&keeper, device)
        return summary
    }
}

/// What a poll finds on its way.
private final class Findings: Sendable {
    private let list = Mutex<[(LogInventory?, SourceReset?)]>([])

    var all: [(LogInventory?, SourceReset?)] { list.withLock { $0 } }

    func add(_ inventory: LogInventory?, _ reset: SourceReset?) { list.withLock { $0.append((inventory, reset)) } }
}

extension HostServices {
    /// What the journal knows of a device. A status that cannot be read is made anew.
    func keeper(for device: HostConfiguration.Device) async -> StatusKeeper {
        var keeper = StatusKeeper(device, now: time.now())
        if let stored = try? await journal.reader.status(for: device.id) { keeper.restore(stored) }
        return keeper
    }

    /// Keeps what was learned of a device that nobody supervises.
    func save(_ keeper: inout StatusKeeper, _ device: HostConfiguration.Device) async {
        keeper.rest()
        keeper.stamp(time.now())
        board.update(DeviceReport(device, keeper.status))
        await writer.saveStatus(keeper.status)
    }
}

extension StatusKeeper {
    /// Of a device that nobody supervises.
    init(_ device: HostConfiguration.Device, now: Instant) {
        self.init(device.id, Plan(zone: device.zone, clock: device.clock), now: now)
    }
}

extension HostServices {
    func result(
        _ device: HostConfiguration.Device, _ outcome: Result<PollSummary, DeviceFault>
    ) async -> SyncResult {
        let start = device.zone.localTime(at: time.now()).startOfDay
        let since: Instant =
            switch device.zone.resolve(start) {
            case .unique(let instant), .gap(let instant): instant
            case .overlap(let earlier, _): earlier
            }
        // The count is for people; a journal that cannot be read shows itself elsewhere.
        let today = try? await journal.reader.count(.init(device: device.id, since: since))
        var result = SyncResult(device, outcome, today: today ?? 0)
        result.completeThrough = try? await journal.reader.status(for: device.id)?.completeThrough
        return result
    }
}

extension Array where Element: Sendable {
    /// Applies `work` to every element, at most `limit` at a time, and keeps the order.
    func concurrently<Value: Sendable>(
        _ limit: Int, _ work: @escaping @Sendable (Element) async -> Value
    ) async -> [Value] {
        await withTaskGroup(of: (Int, Value).self) { group in
            var results: [Int: Value] = [:]
            var next = 0
            while next < Swift.min(limit, count) {
                let index = next
                group.addTask { (index, await work(self[index])) }
                next += 1
            }
            while let (index, value) = await group.next() {
                results[index] = value
                guard next < count else { continue }
                let following = next
                group.addTask { (following, await work(self[following])) }
                next += 1
            }
            return indices.compactMap { results[$0] }
        }
    }
}

extension Result {
    /// What `body` returns or throws.
    init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
