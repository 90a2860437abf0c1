public import DeviceKit
internal import Synchronization

/// A device that was found by asking at its address.
public struct DiscoveredDevice: Sendable, Hashable {
    public var endpoint: Endpoint
    /// The driver that it answered to.
    public var driver: String
    /// As far as it has told.
    public var identity: DeviceIdentity
    /// It lets nobody in without credentials.
    public var isLocked: Bool
    /// Why nothing more is known.
    public var note: String?
    /// What would stand under `settings:`, without credentials.
    public var settings: [String: String]
    /// The setting for the credentials of a locked device.
    public var credentialsKey: String?
}

/// Asks at many addresses whether a device is there: a connection, then the driver's own handshake. Changes nothing on
/// devices.
public struct DeviceDiscovery: Sendable {
    public struct Plan: Sendable {
        public var drivers: [DriverRegistration]
        /// Another port than the usual one.
        public var port: UInt16?
        /// For one connection, or one answer.
        public var timeout = Duration.seconds(2)
        /// So many addresses are begun in a second, 0.1 and more.
        public var perSecond = 50.0
        /// So many are under way at a time.
        public var concurrency = 64

        public init(drivers: [DriverRegistration]) { self.drivers = drivers }
    }

    private let plan: Plan
    private let time: any TimeSource
    private let makeContext: @Sendable (DeviceID) -> DriverContext

    /// - Parameter context: the outside world of the drivers.
    public init(_ plan: Plan, time: any TimeSource, context: @escaping @Sendable (DeviceID) -> DriverContext) {
        self.plan = plan
        self.time = time
        makeContext = context
    }

    /// Asks at all addresses, in their order. When the task is cancelled it returns what was found until then.
    /// - Parameter progress: hears how many addresses have been asked at, and what was found there.
    public func run(
        _ addresses: [String], progress: @escaping @Sendable (Int, DiscoveredDevice?) -> Void = { _, _ in }
    ) async -> [DiscoveredDevice] {
        let pause = Duration.seconds(1) / max(plan.perSecond, 0.1)
        let begin = time.uptime()
        let tally = Tally()
        return await withTaskGroup(of: (Int, DiscoveredDevice?).self) { group in
            var found: [(Int, DiscoveredDevice)] = []
            var done = 0
            func take(_ answer: (Int, DiscoveredDevice?)) {
                done += 1
                if let device = answer.1 { found.append((answer.0, device)) }
            }
            for (index, address) in addresses.enumerated() {
                if index - done >= max(plan.concurrency, 1), let answer = await group.next() { take(answer) }
                let wait = begin + pause * index - time.uptime()
                if wait > .zero { try? await time.sleep(for: wait) }
                if Task.isCancelled { break }
                group.addTask {
                    let answer = await ask(address)
                    progress(tally.next(), answer)
                    return (index, answer)
                }
            }
            while let answer = await group.next() { take(answer) }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// The first driver whose handshake works.
    private func ask(_ address: String) async -> DiscoveredDevice? {
        for driver in plan.drivers {
            guard let discovery = driver.discovery else { continue }
            for usual in discovery.endpoints {
                guard !Task.isCancelled else { return nil }
                let endpoint = Endpoint(usual.kind, host: address, port: plan.port ?? usual.port)
                switch await open(driver, discovery, endpoint) {
                case .found(let device): return device
                // Another transport may do better where this one is shut, not where nobody is.
                case .refused: continue
                case .nobody: return nil
                }
            }
        }
        return nil
    }

    private enum Answer: Sendable {
        case found(DiscoveredDevice)
        case refused
        case nobody
    }

    private func open(
        _ driver: DriverRegistration, _ discovery: DriverRegistration.Discovery, _ endpoint: Endpoint
    ) async -> Answer {
        let settings = discovery.settings(endpoint)
        var texts = settings
        if let key = discovery.timeoutKey { texts[key] = DurationText.format(plan.timeout) }
        guard let values = try? driver.schema.values(texts), let id = DeviceID("discovery") else { return .nobody }
        var device = DiscoveredDevice(
            endpoint: endpoint, driver: driver.manifest.id, identity: DeviceIdentity(), isLocked: false,
            settings: settings, credentialsKey: discovery.credentialsKey)
        do throws(DeviceFault) {
            let session = try await SessionRunner.open(
                try driver.make(values, context: makeContext(id)), within: plan.timeout * 8, time: time)
            device.identity = session.identity
            await session.close()
            return .found(device)
        } catch {
            switch error.code {
            case .unauthorised: device.isLocked = true
            case .secureCommunication, .busy: device.note = error.message
            case .refused: return .refused
            default: return .nobody
            }
            return .found(device)
        }
    }
}

/// Counts addresses that have been asked at, by many tasks.
private final class Tally: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
