internal import DeviceKit
internal import Journal
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// How full the journal is, of what it may take.
final class QuotaGauge: Sendable {
    private let state = Mutex(QuotaLevel.normal)

    var level: QuotaLevel { state.withLock { $0 } }

    /// - Returns: the level before.
    @discardableResult
    func set(_ level: QuotaLevel) -> QuotaLevel {
        state.withLock { state in
            defer { state = level }
            return state
        }
    }

    static func level(used: Int, quota: Int) -> QuotaLevel {
        let share = Double(used) / Double(max(quota, 1))
        return share >= 0.95 ? .full : share >= 0.8 ? .high : .normal
    }
}

/// Keeps the journal within its time and its room: forgets what is old and delivered, and watches the quota.
struct JournalKeeper: Sendable {
    let live: LiveConfiguration
    let services: HostServices

    /// How often the quota is looked at.
    static let interval = Duration.seconds(5)
    /// How often old punches are looked for.
    static let forgetInterval = Duration.seconds(3_600)
    /// With leave to forget, room is made down to this share of the quota.
    static let roomyShare = 0.75

    private var configuration: HostConfiguration { live.configuration }
    private var settings: HostConfiguration.Journal { configuration.journal }

    /// Runs until the task is cancelled.
    /// - Throws: what the journal throws, except that it is full.
    func run() async throws(JournalError) {
        var nextForgetting = services.time.uptime()
        var keep = settings.keep
        while !Task.isCancelled {
            if settings.keep != keep {
                keep = settings.keep
                nextForgetting = services.time.uptime()
            }
            do throws(JournalError) {
                if services.time.uptime() >= nextForgetting {
                    nextForgetting = services.time.uptime() + Self.forgetInterval
                    try await forgetOld()
                }
                try await watchQuota()
            } catch {
                guard error.kind == .full else { throw error }
            }
            guard (try? await services.time.sleep(for: Self.interval)) != nil else { return }
        }
    }

    /// Forgets what is older than `keep` and delivered.
    func forgetOld() async throws(JournalError) {
        guard let keep = settings.keep else { return }
        let rule = RetentionRule(receivedBefore: services.time.now() - keep, served: try await served())
        let count = try await forget(rule) { false }.forgotten
        if count > 0 { services.log.info("old punches are forgotten", metadata: ["count": "\(count)"]) }
    }

    func watchQuota() async throws(JournalError) {
        guard let quota = settings.quota?.bytes else { return tell(.normal, before: services.gauge.set(.normal)) }
        var level = QuotaGauge.level(used: try await services.journal.usedByteCount(), quota: quota)
        if level != .normal, settings.whenFull != .wait {
            try await makeRoom(quota)
            level = QuotaGauge.level(used: try await services.journal.usedByteCount(), quota: quota)
        }
        tell(level, before: services.gauge.set(level))
    }

    private func makeRoom(_ quota: Int) async throws(JournalError) {
        let rule = RetentionRule(
            receivedBefore: Instant(millisecondsSince1970: .max), served: try await served(),
            includesUndelivered: settings.whenFull == .forgetOldest)
        let enough = Int(Double(quota) * Self.roomyShare)
        let journal = services.journal
        let step = try await forget(rule) { () async throws(JournalError) in try await journal.usedByteCount() <= enough
        }
        guard step.forgotten > 0 else { return }
        services.log.notice("made room in the journal", metadata: ["forgotten": "\(step.forgotten)"])
        guard step.undelivered > 0 else { return }
        services.log.error(
            "ADMIN ALERT punches were forgotten that a sink had not got", metadata: ["count": "\(step.undelivered)"])
        services.events.send(.journal(.forgotUndelivered(step.undelivered)))
    }

    private func forget(
        _ rule: RetentionRule, until isEnough: () async throws(JournalError) -> Bool
    ) async throws(JournalError) -> RetentionStep {
        var total = RetentionStep()
        var position: Int64? = 0
        while let after = position, !Task.isCancelled {
            let step = try await services.journal.forget(rule, after: after)
            total.forgotten += step.forgotten
            total.undelivered += step.undelivered
            position = step.next
            if try await isEnough() { break }
        }
        return total
    }

    /// How far every device's punches are delivered to all of its sinks. Devices that are no longer configured keep
    /// theirs.
    private func served() async throws(JournalError) -> [DeviceID: Int64] {
        var served: [DeviceID: Int64] = [:]
        for device in configuration.devices { served[device.id] = .max }
        for sink in configuration.sinks {
            let progress = try await services.journal.sinkProgress(sink.name) ?? SinkProgress()
            for device in configuration.devices(of: sink) {
                served[device.id] = min(served[device.id] ?? .max, progress.position(of: device.id))
            }
        }
        return served
    }

    private func tell(_ level: QuotaLevel, before: QuotaLevel) {
        guard level != before else { return }
        services.events.send(.journal(.quota(level)))
        switch level {
        case .full:
            services.log.error(
                "ADMIN ALERT the journal has reached 95 % of its quota: devices are not read until there is room")
        case .high:
            services.log.error("ADMIN ALERT the journal has reached 80 % of its quota: polls go slowly")
        case .normal: services.log.notice("the journal has room again")
        }
    }
}

/// The keeper as a part of the host that can be stopped.
struct KeeperService: Service {
    let keeper: JournalKeeper

    func run() async throws {
        let keeper = keeper
        try await cancelWhenGracefulShutdown { try await keeper.run() }
        try? await gracefulShutdown()
    }
}
