import Alerts
import DeviceKit
import Journal

/// Looks at what nobody tells of: the disk, the sinks, the terminals' logs, punches with impossible times.
struct AlertWatch: Sendable {
    private var configuration: HostConfiguration
    private let services: HostServices
    private let disk: @Sendable (String) -> DiskFigures?
    /// Punches up to here were looked at.
    private var position: Int64
    private var silence: SilenceWatch

    private static let impossibleLasts = Duration.seconds(6 * 3_600)

    /// From the newest punch of the journal on: made before devices are, so that none of theirs is passed over.
    /// - Parameter disk: the figures of the disk on which a directory lies.
    init(
        _ configuration: HostConfiguration, _ services: HostServices,
        disk: @escaping @Sendable (String) -> DiskFigures? = DiskFigures.of
    ) async throws(JournalError) {
        position = try await services.journal.reader.latestPosition()
        self.configuration = configuration
        self.services = services
        self.disk = disk
        silence = SilenceWatch(configuration, services)
    }

    /// Goes on under another configuration, from the punches that were looked at last.
    mutating func follow(_ configuration: HostConfiguration) {
        self.configuration = configuration
        silence = SilenceWatch(configuration, services)
    }

    /// One look. What cannot be looked at now is left out: the next look is soon.
    mutating func look() async -> [AlertSignal] {
        var signals = devices() + (await sinks())
        if let disk = room() { signals.append(disk) }
        if let journal = await journal() { signals.append(journal) }
        signals += await impossibleTimes()
        signals += await silence.look()
        return signals
    }

    private func devices() -> [AlertSignal] {
        services.board.reports(of: Set(configuration.devices.filter(\.isEnabled).map(\.id))).compactMap { report in
            guard let count = report.inventory?.recordCount, let capacity = report.inventory?.recordCapacity,
                capacity > 0
            else { return nil }
            return AlertSignal(
                .storageHigh, .device(report.device.name), .measured(Double(count) / Double(capacity) * 100),
                "the log holds \(count) of \(capacity) records")
        }
    }

    private func sinks() async -> [AlertSignal] {
        let reader = services.journal.reader
        guard let known = try? await reader.sinks() else { return [] }
        let statuses = Dictionary(known.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var signals: [AlertSignal] = []
        for sink in configuration.sinks {
            let status = statuses[sink.name]
            let parked = status?.deadLetterCount ?? 0
            signals.append(
                AlertSignal(
                    .sinkParked, .sink(sink.name), .measured(Double(parked)),
                    "\(parked) \(parked == 1 ? "punch is" : "punches are") set aside"))
            let devices = Set(configuration.devices(of: sink).map(\.id))
            guard let oldest = try? await reader.oldestWaiting(for: sink.name, devices: devices) else {
                signals.append(AlertSignal(.sinkBacklog, .sink(sink.name), .measured(0)))
                continue
            }
            let age = max((services.time.now() - oldest).inSeconds, 0)
            // The age itself would be news at every look.
            let reason = status?.lastError.map { "deliveries fail: \($0)" } ?? "deliveries are slow"
            signals.append(AlertSignal(.sinkBacklog, .sink(sink.name), .measured(age), reason))
        }
        return signals
    }

    private func room() -> AlertSignal? {
        // The journal has told that it finds no room: figures that look well, such as those of a user's own limit or of
        // file numbers that ran out, do not end that.
        guard !services.writer.isDiskFull, let figures = disk(configuration.dataDirectory),
            let used = figures.usedPercent
        else { return nil }
        return AlertSignal(.hostDisk, .host, .measured(used), figures.sentence)
    }

    private func journal() async -> AlertSignal? {
        // A quota that was taken away ends what was told of it.
        guard let quota = configuration.journal.quota?.bytes else {
            return AlertSignal(.journalQuota, .host, .measured(0))
        }
        guard let used = try? await services.journal.usedByteCount() else { return nil }
        let share = Double(used) / Double(max(quota, 1)) * 100
        return AlertSignal(.journalQuota, .host, .measured(share), "the journal takes \(Int(share)) % of its quota")
    }

    private mutating func impossibleTimes() async -> [AlertSignal] {
        guard let found = try? await services.journal.reader.invalidPunches(after: position) else { return [] }
        position = found.through
        return found.last.map { device, journaled in
            AlertSignal(
                .clockJump, .device(device.name), .happened(lasting: Self.impossibleLasts),
                "\(journaled.punch.localTime): \(journaled.punch.notes)")
        }
    }
}

/// Compares how long a device has been without punches with what is usual at this hour of this weekday.
struct SilenceWatch: Sendable {
    private let configuration: HostConfiguration
    private let services: HostServices
    private var lookedAt: Duration?

    /// History is asked for rarely: gaps are minutes long.
    private static let interval = Duration.seconds(300)
    /// Shorter gaps mean nothing.
    private static let leastGap = Duration.seconds(1_800)
    private static let weeks = 4
    /// In so many of the weeks there must have been punches at this hour, so many at the least.
    private static let leastWeeks = 3
    private static let leastPunches = 4
    private static let halfWindow = Duration.seconds(3_600)

    init(_ configuration: HostConfiguration, _ services: HostServices) {
        self.configuration = configuration
        self.services = services
    }

    mutating func look() async -> [AlertSignal] {
        guard configuration.alerts.base.rules[.deviceSilent]?.isEnabled == true else { return [] }
        let uptime = services.time.uptime()
        if let lookedAt, uptime - lookedAt < Self.interval { return [] }
        lookedAt = uptime
        let devices = configuration.devices.filter(\.isEnabled)
        let connected = Set(services.board.reports(of: Set(devices.map(\.id))).filter(\.isConnected).map(\.device))
        var signals: [AlertSignal] = []
        for device in devices where connected.contains(device.id) {
            if let signal = await look(at: device) { signals.append(signal) }
        }
        return signals
    }

    private func look(at device: HostConfiguration.Device) async -> AlertSignal? {
        let reader = services.journal.reader
        let now = services.time.now()
        let filter = JournalReader.Filter(device: device.id, since: now - .seconds(86_400), until: now)
        guard let today = try? await reader.punches(filter, order: .newestFirst, limit: 1) else { return nil }
        let gap = today.first.map { now - $0.punch.time } ?? .seconds(86_400)
        let subject = AlertSubject.device(device.id.name)
        guard gap >= Self.leastGap else { return AlertSignal(.deviceSilent, subject, .measured(0)) }
        var counts: [Int] = []
        for week in 1...Self.weeks {
            let middle = now - .seconds(week * 7 * 86_400)
            let window = JournalReader.Filter(
                device: device.id, since: middle - Self.halfWindow, until: middle + Self.halfWindow)
            guard let count = try? await reader.count(window) else { return nil }
            counts.append(count)
        }
        let factor = Self.factor(gap: gap, counts: counts)
        return AlertSignal(
            .deviceSilent, subject, .measured(factor ?? 0),
            today.first.map { "the last punch was at \($0.punch.localTime)" } ?? "no punch for a day")
    }

    /// How many times its usual length the gap is; `nil` when nothing is usual.
    static func factor(gap: Duration, counts: [Int]) -> Double? {
        let busy = counts.filter { $0 >= leastPunches }.sorted()
        guard busy.count >= leastWeeks else { return nil }
        let usual = halfWindow.inSeconds * 2 / Double(busy[busy.count / 2])
        return gap.inSeconds / usual
    }
}
