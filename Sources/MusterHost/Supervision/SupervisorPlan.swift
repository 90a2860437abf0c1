package import DeviceKit

extension SupervisorMachine {
    /// What a device's life goes by; fixed for one life.
    package struct Plan: Sendable {
        package var isEnabled = true
        /// Punches are received as they happen: the driver can, and the configuration wants it.
        package var isCapturing = true
        package var canPoll = true
        package var schedule: PollSchedule
        /// Of the hours in the schedule.
        package var zone: DeviceTimeZone
        package var timers = LifecycleTimers()
        /// Capture was given up in an earlier life of the host, at this instant.
        package var suspendedSince: Instant?

        package init(schedule: PollSchedule, zone: DeviceTimeZone) {
            self.schedule = schedule
            self.zone = zone
        }
    }
}

extension SupervisorMachine.Plan {
    /// - Parameter suspendedSince: capture was given up in an earlier life of the host.
    init(_ device: HostConfiguration.Device, suspendedSince: Instant?) {
        self.init(schedule: device.schedule.poll, zone: device.schedule.zone ?? device.zone)
        let manifest = device.driver.manifest
        isEnabled = device.isEnabled
        isCapturing = device.schedule.isCapturing && manifest.intakes.contains(.capturing)
        canPoll = manifest.intakes.contains(.polling)
        timers = device.lifecycle
        self.suspendedSince = suspendedSince
    }
}
