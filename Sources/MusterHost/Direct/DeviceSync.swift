public import DeviceKit
internal import Journal

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
        writer.member("error", fault?.message)
        writer.member("error_code", fault?.code.rawValue)
        return writer.finish()
    }
}

/// Polls devices once, without a running host.
public struct DeviceSync: Sendable {
    private let services: HostServices

    /// So many devices are polled at the same time.
    private static let concurrency = 8

    public init(_ services: HostServices) { self.services = services }

    /// Opens a session, reads the log into the journal and closes.
    public func sync(
        _ device: HostConfiguration.Device, progress: (@Sendable (PollProgress) -> Void)? = nil
    ) async -> SyncResult {
        let outcome: Result<PollSummary, DeviceFault>
        do throws(DeviceFault) {
            outcome = .success(try await poll(device, progress))
        } catch {
            outcome = .failure(error)
        }
        return await services.result(device, outcome)
    }

    /// Several devices side by side; results come in the order of `devices`.
    public func sync(
        _ devices: [HostConfiguration.Device], progress: (@Sendable (PollProgress) -> Void)? = nil
    ) async -> [SyncResult] {
        await devices.concurrently(Self.concurrency) { await sync($0, progress: progress) }
    }

    private func poll(
        _ device: HostConfiguration.Device, _ progress: (@Sendable (PollProgress) -> Void)?
    ) async throws(DeviceFault) -> PollSummary {
        let driver = try device.driver.make(device.settings, context: services.context(for: device))
        let session = try await SessionRunner.open(driver, time: services.time)
        guard let polling = session as? any PollingSession else {
            await session.close()
            throw DeviceFault(.unsupported, "the driver \(device.driver.manifest.id) does not read logs")
        }
        var poll = services.logPoll(for: device)
        poll.progress = progress
        do throws(DeviceFault) {
            let summary = try await poll.run(polling)
            await noteSuccess(device, session.identity)
            await session.close()
            return summary
        } catch {
            await session.close()
            throw error
        }
    }

    /// The listing of devices shows what was learned, as after a poll of the running host.
    private func noteSuccess(_ device: HostConfiguration.Device, _ identity: DeviceIdentity) async {
        let now = services.time.now()
        let stored = try? await services.journal.reader.status(for: device.id)
        var status = stored ?? DeviceStatus(device: device.id, state: "idle", updatedAt: now)
        status.state = "idle"
        status.isConnected = false
        status.identity = identity
        status.lastPollAt = now
        status.updatedAt = now
        services.board.update(DeviceReport(device, status))
        await services.writer.saveStatus(status)
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
        return SyncResult(device, outcome, today: today ?? 0)
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
