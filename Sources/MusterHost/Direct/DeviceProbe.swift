public import DeviceKit

/// One step of a test of a device.
public struct ProbeStep: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        case passed(String)
        /// The driver or the device does not offer it.
        case skipped(String)
        case failed(DeviceFault)
    }

    public var name: String
    public var outcome: Outcome
    public var duration: Duration

    public var isFailure: Bool {
        if case .failed = outcome { return true }
        return false
    }
}

/// Tests a device step by step and changes nothing on it.
public struct DeviceProbe: Sendable {
    private let time: any TimeSource
    private let makeContext: @Sendable (HostConfiguration.Device) -> DriverContext

    /// - Parameter context: the outside world of the device's driver.
    public init(time: any TimeSource, context: @escaping @Sendable (HostConfiguration.Device) -> DriverContext) {
        self.time = time
        makeContext = context
    }

    /// Connects, authenticates, identifies, compares clocks, counts the log and reads its first record. `report` hears
    /// each step as it ends; the first failure of connecting is the last step.
    public func run(
        _ device: HostConfiguration.Device, report: @escaping @Sendable (ProbeStep) async -> Void = { _ in }
    ) async -> [ProbeStep] {
        var steps: [ProbeStep] = []
        let (session, opening) = await open(device)
        steps.append(opening)
        await report(opening)
        guard let session else { return steps }
        let checks: [(String, @Sendable () async throws(DeviceFault) -> ProbeStep.Outcome)] = [
            ("identify", { () async throws(DeviceFault) in .passed(Self.text(session.identity)) }),
            ("clock", { () async throws(DeviceFault) in try await clock(session, device) }),
            ("log", { () async throws(DeviceFault) in try await inventory(session) }),
            ("first record", { () async throws(DeviceFault) in try await firstRecord(session) }),
        ]
        for (name, check) in checks {
            let step = await measure(name, check)
            steps.append(step)
            await report(step)
        }
        await session.close()
        return steps
    }

    private func open(_ device: HostConfiguration.Device) async -> ((any DeviceSession)?, ProbeStep) {
        let start = time.uptime()
        do throws(DeviceFault) {
            let driver = try device.driver.make(device.settings, context: makeContext(device))
            let session = try await SessionRunner.open(driver, within: device.lifecycle.openTimeout, time: time)
            let outcome = ProbeStep.Outcome.passed("connected and authenticated")
            return (session, ProbeStep(name: "connect", outcome: outcome, duration: time.uptime() - start))
        } catch {
            return (nil, ProbeStep(name: "connect", outcome: .failed(error), duration: time.uptime() - start))
        }
    }

    private func measure(
        _ name: String, _ check: @Sendable () async throws(DeviceFault) -> ProbeStep.Outcome
    ) async -> ProbeStep {
        let start = time.uptime()
        let outcome: ProbeStep.Outcome
        do throws(DeviceFault) {
            outcome = try await check()
        } catch {
            outcome = .failed(error)
        }
        return ProbeStep(name: name, outcome: outcome, duration: time.uptime() - start)
    }

    private static func text(_ identity: DeviceIdentity) -> String {
        let parts = [
            identity.model, identity.serialNumber.map { "serial \($0)" },
            identity.registrationNumber.map { "platform \($0)" }, identity.firmware.map { "firmware \($0)" },
        ]
        let known = parts.compactMap { $0 }.joined(separator: ", ")
        return known.isEmpty ? "the device says nothing of itself" : known
    }

    private func clock(
        _ session: any DeviceSession, _ device: HostConfiguration.Device
    ) async throws(DeviceFault) -> ProbeStep.Outcome {
        guard let clock = session as? any DeviceClock else { return .skipped("the driver does not read clocks") }
        let shown = try await clock.readClock()
        let drift = shown.wallSeconds - device.zone.localTime(at: time.now()).wallSeconds
        let text = drift == 0 ? "right" : "\(abs(drift)) s \(drift > 0 ? "ahead" : "behind")"
        return .passed("\(shown) in \(device.zone), \(text)")
    }

    private func inventory(_ session: any DeviceSession) async throws(DeviceFault) -> ProbeStep.Outcome {
        guard let counting = session as? any LogInventoryReading else {
            return .skipped("the driver does not count the log")
        }
        let inventory = try await counting.readInventory()
        guard let count = inventory.recordCount else { return .skipped("the device does not say") }
        let capacity = inventory.recordCapacity.map { " of \($0)" } ?? ""
        let people = inventory.peopleCount.map { ", \($0) people" } ?? ""
        return .passed("\(count)\(capacity) records\(people)")
    }

    private func firstRecord(_ session: any DeviceSession) async throws(DeviceFault) -> ProbeStep.Outcome {
        guard let polling = session as? any PollingSession else { return .skipped("the driver does not read logs") }
        let page = try await polling.poll(PollRequest(cursor: nil, limit: 1))
        guard let record = page.records.first else {
            return .skipped(page.rejected.isEmpty ? "the log is empty" : "the oldest record does not decode")
        }
        return .passed("\(record.code) at \(record.localTime)")
    }
}
