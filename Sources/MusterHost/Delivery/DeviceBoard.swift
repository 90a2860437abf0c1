internal import DeviceKit
internal import Journal
internal import Synchronization

/// What is known of every device now, for the sinks that show it.
final class DeviceBoard: Sendable {
    private let reports: Mutex<[DeviceID: DeviceReport]>
    private let signal = ChangeSignal()

    init(_ reports: [DeviceReport] = []) {
        self.reports = Mutex(
            Dictionary(reports.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first }))
    }

    /// The devices of a configuration as the journal last knew them.
    convenience init(_ devices: [HostConfiguration.Device], _ journal: JournalReader) async throws(JournalError) {
        let known = devices.isEmpty ? [:] : try await journal.statuses()
        self.init(
            devices.map { device in
                var report = DeviceReport(device, known[device.id]?.status)
                report.isConnected = false
                report.state = device.isEnabled ? "stopped" : "disabled"
                return report
            })
    }

    func update(_ report: DeviceReport) {
        let isNew = reports.withLock { reports in
            defer { reports[report.device] = report }
            return reports[report.device] != report
        }
        if isNew { signal.send() }
    }

    /// The device is no longer configured.
    func remove(_ device: DeviceID) {
        let wasKnown = reports.withLock { $0.removeValue(forKey: device) } != nil
        if wasKnown { signal.send() }
    }

    var generation: UInt64 { signal.generation }

    /// The reports of some devices, in the order of their names.
    func reports(of devices: Set<DeviceID>) -> [DeviceReport] {
        reports.withLock { reports in devices.compactMap { reports[$0] } }.sorted { $0.device.name < $1.device.name }
    }

    /// Returns at once when something changed since `generation`.
    func waitForChange(since generation: UInt64) async throws(CancellationError) {
        try await signal.wait(since: generation)
    }
}

extension DeviceReport {
    /// - Parameter status: `nil` for a device that was never met.
    init(_ device: HostConfiguration.Device, _ status: DeviceStatus?) {
        self.init(
            device: device.id, name: device.name, state: status?.state ?? (device.isEnabled ? "starting" : "disabled"))
        location = device.location
        let manifest = device.driver.manifest
        address = manifest.addressKey.flatMap { device.settings.text($0) }
        port = manifest.portKey.flatMap { device.settings.text($0) }.flatMap { UInt16($0) }
        isEnabled = device.isEnabled
        guard let status else { return }
        // The last that is heard of a device: nobody tells the sinks once it has stopped.
        if status.state == SupervisorState.stopping.name { state = "stopped" }
        identity = status.identity
        inventory = status.inventory
        isConnected = status.isConnected
        isRealtimeEnabled = status.isRealtimeEnabled
        realtimeDisabledAt = status.realtimeDisabledAt
        lastPollAt = status.lastPollAt
        completeThrough = status.completeThrough
        gapFrom = status.gap?.from
        gapUntil = status.gap?.until
        clockDrift = status.clockDrift
        conditions = status.conditions
    }
}
