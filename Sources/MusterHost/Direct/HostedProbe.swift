public import DeviceKit
public import Journal

/// Tests a device through the host that runs and has it: many devices serve one connection only, and a second one would
/// be shut out or push the first away.
public struct HostedProbe: Sendable {
    private let client: ControlClient
    private let time: any TimeSource

    /// `nil` where no host runs on the data directory.
    public init?(_ configuration: HostConfiguration, time: any TimeSource) async {
        client = ControlClient(DataDirectory(path: configuration.dataDirectory))
        self.time = time
        guard await client.isHostRunning() else { return nil }
    }

    /// Asks the host for the device's state, and the device through it for identity, clock and counts; then lets it read
    /// the log. `report` hears each step as it ends.
    /// - Parameter status: what the journal knows of the device.
    public func run(
        _ device: HostConfiguration.Device, _ status: DeviceStatus?,
        report: @escaping @Sendable (ProbeStep) async -> Void = { _ in }
    ) async -> [ProbeStep] {
        var steps: [ProbeStep] = []
        func add(_ name: String, _ outcome: ProbeStep.Outcome, since start: Duration) async {
            let step = ProbeStep(name: name, outcome: outcome, duration: time.uptime() - start)
            steps.append(step)
            await report(step)
        }
        let start = time.uptime()
        await add(ProbeStep.Name.host, .passed(Self.text(status)), since: start)
        let asking = time.uptime()
        switch await information(device.id) {
        case .failure(let fault):
            await add(ProbeStep.Name.identity, .failed(fault), since: asking)
            return steps
        case .success(let information):
            let identity = information.details.identity
            await add(ProbeStep.Name.identity, .passed(DeviceProbe.text(identity)), since: asking)
            let clock = information.clock.map {
                ProbeStep.Outcome.passed(DeviceProbe.text($0.shown, drift: $0.drift, zone: device.zone))
            }
            await add(ProbeStep.Name.clock, clock ?? .skipped("the driver does not read clocks"), since: time.uptime())
            let inventory = status?.inventory
            let counts = inventory?.recordCount.map { count in
                let capacity = inventory?.recordCapacity.map { " of \($0)" } ?? ""
                return ProbeStep.Outcome.passed("\(count)\(capacity) records when the host last looked")
            }
            await add(ProbeStep.Name.counts, counts ?? .skipped("the device does not say"), since: time.uptime())
        }
        let reading = time.uptime()
        await add(ProbeStep.Name.record, await poll(device.id), since: reading)
        let live: ProbeStep.Outcome =
            !device.schedule.isCapturing
            ? .skipped("the configuration says capture: false")
            : status?.isConnected == true && status?.isRealtimeEnabled == true
                ? .passed("the host is subscribed") : .skipped("the host is not subscribed now")
        await add(ProbeStep.Name.live, live, since: time.uptime())
        return steps
    }

    private static func text(_ status: DeviceStatus?) -> String {
        guard let status else { return "a host runs and has not met the device yet" }
        let trouble = status.lastError.map { ": \($0)" } ?? ""
        return "a host runs and has the device: \(status.state)\(status.isConnected ? "" : trouble)"
    }

    private func information(_ device: DeviceID) async -> Result<DeviceInformation, DeviceFault> {
        do throws(ControlClient.Failure) {
            switch try await client.perform(.information, on: device) {
            case .success(.information(let information)): return .success(information)
            case .success: return .failure(DeviceFault(.unexpectedReply, "the host answered something else"))
            case .failure(let fault): return .failure(fault)
            }
        } catch {
            return .failure(Self.fault(error))
        }
    }

    private func poll(_ device: DeviceID) async -> ProbeStep.Outcome {
        do throws(ControlClient.Failure) {
            guard let result = try await client.sync([device]).first else {
                return .failed(DeviceFault(.badSettings, "the running host does not know the device: muster reload"))
            }
            if let fault = result.fault { return .failed(fault) }
            return .passed("the host has read the log: \(result.synced) new, \(result.duplicates) known")
        } catch {
            return .failed(Self.fault(error))
        }
    }

    private static func fault(_ failure: ControlClient.Failure) -> DeviceFault {
        switch failure {
        case .noHost, .lost: DeviceFault(.connectionLost, "the host went away")
        case .refused(let reason): DeviceFault(.badSettings, reason)
        }
    }
}
