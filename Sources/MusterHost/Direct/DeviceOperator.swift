public import DeviceKit
internal import Journal
public import Logging

/// Performs commands on devices: on the session of the running host where there is one, because many terminals serve one
/// connection only; else on a session of its own.
public struct DeviceOperator: Sendable {
    private let configuration: HostConfiguration
    private let log: Logger

    public init(_ configuration: HostConfiguration, log: Logger) {
        self.configuration = configuration
        self.log = log
    }

    /// Returns when the device has done it. An interrupt from the keyboard cancels it, at the device as well.
    /// - Throws: ``DeviceFault``; ``ControlClient/Failure`` when the running host refuses or goes away;
    ///   ``JournalError`` when the command needs a journal that is not there for us.
    public func perform(
        _ command: DeviceCommand, on device: HostConfiguration.Device,
        progress: @escaping @Sendable (EnrolmentEvent) async -> Void = { _ in }
    ) async throws -> DeviceAnswer {
        let outcome = await cancelledBySignals { () -> Result<DeviceAnswer, any Error> in
            do {
                return .success(try await performWhereItRuns(command, on: device, progress))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.value.get()
    }

    private func performWhereItRuns(
        _ command: DeviceCommand, on device: HostConfiguration.Device,
        _ progress: @escaping @Sendable (EnrolmentEvent) async -> Void
    ) async throws -> DeviceAnswer {
        let outcome: Result<DeviceAnswer, DeviceFault>
        do throws(ControlClient.Failure) {
            let client = ControlClient(DataDirectory(path: configuration.dataDirectory))
            outcome = try await client.perform(command, on: device.id, progress: progress)
        } catch {
            guard error == .noHost else { throw error }
            return try await performDirectly(command, on: device, progress)
        }
        return try outcome.get()
    }

    private func performDirectly(
        _ command: DeviceCommand, on device: HostConfiguration.Device,
        _ progress: @escaping @Sendable (EnrolmentEvent) async -> Void
    ) async throws -> DeviceAnswer {
        let drivers = DriverServices(log: log)
        let time = drivers.time
        let services = command.needsJournal ? try await Host(configuration, log: log) {}.open(FatalFailure()) : nil
        let driver = try device.driver.make(device.settings, context: drivers.context(for: device))
        let session = try await SessionRunner.open(
            driver, within: device.lifecycle.openTimeout, time: time)
        let check = AcceptanceCheck(
            device: device, directory: DataDirectory(path: configuration.dataDirectory), time: time)
        let execution = CommandExecution(device: device, time: time, services: services, progress: progress)
        let pending = PendingCommand(command, progress: progress)
        let outcome = await pending.perform(time: time) { () async throws(DeviceFault) in
            try await check.admit(session.identity, services)
            return try await execution.run(command, on: session)
        }
        await session.close()
        return try outcome.get()
    }
}
