public import DeviceKit
internal import Synchronization

/// One step of a test of a device.
public struct ProbeStep: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        case passed(String)
        /// The driver or the device does not offer it.
        case skipped(String)
        case failed(DeviceFault)
    }

    /// The names of the steps, in their order.
    public enum Name {
        public static let resolve = "resolve"
        public static let route = "route"
        public static let port = "port"
        public static let `protocol` = "protocol"
        public static let credentials = "credentials"
        public static let identity = "identity"
        public static let clock = "clock"
        public static let counts = "counts"
        public static let record = "first record"
        public static let live = "live events"
        /// In the place of those before ``identity``, where a running host has the device.
        public static let host = "host"
    }

    public var name: String
    public var outcome: Outcome
    public var duration: Duration

    public init(name: String, outcome: Outcome, duration: Duration) {
        self.name = name
        self.outcome = outcome
        self.duration = duration
    }

    public var isFailure: Bool {
        if case .failed = outcome { return true }
        return false
    }

    /// What to do about a failure.
    public var remedy: String? {
        if case .failed(let fault) = outcome { return ProbeRemedy.text(for: fault, in: name) }
        return nil
    }
}

/// Tests a device step by step and changes nothing on it. What is particular to a family of devices is its driver's
/// business: the steps are made of what every driver offers, and of the codes of its faults.
public struct DeviceProbe: Sendable {
    private let time: any TimeSource
    private let makeContext: @Sendable (HostConfiguration.Device) -> DriverContext

    /// What connecting may take, before the driver tries by itself.
    static let portTimeout = Duration.seconds(5)
    /// What a subscription may take.
    static let subscriptionTimeout = Duration.seconds(15)

    /// - Parameter context: the outside world of the device's driver.
    public init(time: any TimeSource, context: @escaping @Sendable (HostConfiguration.Device) -> DriverContext) {
        self.time = time
        makeContext = context
    }

    /// Resolves, looks for the way, knocks, connects, authenticates, identifies, compares clocks, counts the log, reads its
    /// first record and subscribes to live events. `report` hears each step as it ends; where the device cannot be reached
    /// the steps end.
    /// - Parameters:
    ///   - accepted: the serial number that is expected, where one is known.
    ///   - live: how long to wait for a live event; zero waits for the subscription only. An event is not acknowledged:
    ///     it stays in the device's log.
    public func run(
        _ device: HostConfiguration.Device, accepted: String? = nil, live: Duration = .zero,
        report: @escaping @Sendable (ProbeStep) async -> Void = { _ in }
    ) async -> [ProbeStep] {
        var steps: [ProbeStep] = []
        func add(_ step: ProbeStep) async {
            steps.append(step)
            await report(step)
        }
        var knock: ProbeStep?
        if let host = device.driver.manifest.addressKey.flatMap({ device.settings.text($0) }) {
            let (resolving, addresses) = await resolve(host)
            await add(resolving)
            guard let address = addresses.first else { return steps }
            await add(route(to: address))
            knock = await self.knock(device, host)
        }
        let (session, opening) = await open(device)
        if let knock { await add(session == nil ? knock : Self.excused(knock)) }
        for step in opening { await add(step) }
        guard let session else { return steps }
        let checks: [(String, @Sendable () async throws(DeviceFault) -> ProbeStep.Outcome)] = [
            (ProbeStep.Name.identity, { () async throws(DeviceFault) in try Self.identity(session, device, accepted) }),
            (ProbeStep.Name.clock, { () async throws(DeviceFault) in try await clock(session, device) }),
            (ProbeStep.Name.counts, { () async throws(DeviceFault) in try await inventory(session) }),
            (ProbeStep.Name.record, { () async throws(DeviceFault) in try await firstRecord(session) }),
            (ProbeStep.Name.live, { () async throws(DeviceFault) in try await liveEvents(session, device, live) }),
        ]
        for (name, check) in checks { await add(await measure(name, check)) }
        await session.close()
        return steps
    }

    // MARK: The way

    private func resolve(_ host: String) async -> (ProbeStep, [String]) {
        let start = time.uptime()
        let addresses = await NetworkProbe.resolve(host)
        let outcome: ProbeStep.Outcome
        if addresses.isEmpty {
            outcome = .failed(DeviceFault(.unreachable, "the name \(host) has no address"))
        } else if addresses == [host] {
            outcome = .passed("\(host), as it is written")
        } else {
            outcome = .passed("\(host) is \(addresses.prefix(4).joined(separator: ", "))")
        }
        return (ProbeStep(name: ProbeStep.Name.resolve, outcome: outcome, duration: time.uptime() - start), addresses)
    }

    private func route(to address: String) -> ProbeStep {
        let start = time.uptime()
        let outcome: ProbeStep.Outcome
        if let local = NetworkProbe.localAddress(towards: address) {
            let way = NetworkProbe.way(to: address).map { ", \($0)" } ?? ""
            outcome = .passed(local == address ? "this machine itself" : "from \(local)\(way)")
        } else {
            outcome = .failed(DeviceFault(.unreachable, "this machine has no way to \(address)"))
        }
        return ProbeStep(name: ProbeStep.Name.route, outcome: outcome, duration: time.uptime() - start)
    }

    /// A connection that is closed at once: devices are used to it.
    private func knock(_ device: HostConfiguration.Device, _ host: String) async -> ProbeStep? {
        let manifest = device.driver.manifest
        guard let port = manifest.portKey.flatMap({ device.settings.text($0) }).flatMap({ UInt16($0) }) else {
            return nil
        }
        if manifest.transportKey.flatMap({ device.settings.text($0) }) == Endpoint.Kind.udp.rawValue {
            let outcome = ProbeStep.Outcome.skipped("over UDP there is no connection to try")
            return ProbeStep(name: ProbeStep.Name.port, outcome: outcome, duration: .zero)
        }
        let dialer = makeContext(device).dialer
        return await measure(ProbeStep.Name.port) { () async throws(DeviceFault) in
            let link = try await dialer.connect(
                to: Endpoint(.tcp, host: host, port: port), timeout: Self.portTimeout)
            await link.close()
            return .passed("port \(port) is open")
        }
    }

    /// The driver got through all the same.
    private static func excused(_ step: ProbeStep) -> ProbeStep {
        guard case .failed = step.outcome else { return step }
        var step = step
        step.outcome = .passed("shut for TCP; the driver goes another way")
        return step
    }

    private func open(_ device: HostConfiguration.Device) async -> ((any DeviceSession)?, [ProbeStep]) {
        let start = time.uptime()
        do throws(DeviceFault) {
            let driver = try device.driver.make(device.settings, context: makeContext(device))
            let session = try await SessionRunner.open(driver, within: device.lifecycle.openTimeout, time: time)
            let took = time.uptime() - start
            return (
                session,
                [
                    ProbeStep(name: ProbeStep.Name.protocol, outcome: .passed("the device answers"), duration: took),
                    ProbeStep(
                        name: ProbeStep.Name.credentials, outcome: .passed("connected and authenticated"),
                        duration: .zero),
                ]
            )
        } catch {
            let took = time.uptime() - start
            guard error.kind == .authentication else {
                return (nil, [ProbeStep(name: ProbeStep.Name.protocol, outcome: .failed(error), duration: took)])
            }
            return (
                nil,
                [
                    ProbeStep(name: ProbeStep.Name.protocol, outcome: .passed("the device answers"), duration: took),
                    ProbeStep(name: ProbeStep.Name.credentials, outcome: .failed(error), duration: .zero),
                ]
            )
        }
    }

    // MARK: The device

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

    /// What a device has said of itself, in words.
    public static func text(_ identity: DeviceIdentity) -> String {
        let parts = [
            identity.model, identity.serialNumber.map { "serial \($0)" },
            identity.registrationNumber.map { "platform \($0)" }, identity.firmware.map { "firmware \($0)" },
        ]
        let known = parts.compactMap { $0 }.joined(separator: ", ")
        return known.isEmpty ? "the device says nothing of itself" : known
    }

    private static func identity(
        _ session: any DeviceSession, _ device: HostConfiguration.Device, _ accepted: String?
    ) throws(DeviceFault) -> ProbeStep.Outcome {
        if let accepted, let serial = session.identity.serialNumber, serial != accepted {
            throw DeviceFault(
                .deviceReplaced,
                "\(text(session.identity)); serial number \(accepted) is expected; if this is the right one: "
                    + "muster device \(device.id) accept")
        }
        return .passed(text(session.identity))
    }

    /// A clock beside the right time, in words.
    public static func text(_ shown: LocalDateTime, drift: Int64, zone: DeviceTimeZone) -> String {
        let text = drift == 0 ? "right" : "\(drift.magnitude) s \(drift > 0 ? "ahead" : "behind")"
        return "\(shown) in \(zone), \(text)"
    }

    private func clock(
        _ session: any DeviceSession, _ device: HostConfiguration.Device
    ) async throws(DeviceFault) -> ProbeStep.Outcome {
        guard let clock = session as? any DeviceClock else { return .skipped("the driver does not read clocks") }
        let shown = try await clock.readClock()
        let drift = shown.wallSeconds - device.zone.localTime(at: time.now()).wallSeconds
        return .passed(Self.text(shown, drift: drift, zone: device.zone))
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

    private func liveEvents(
        _ session: any DeviceSession, _ device: HostConfiguration.Device, _ live: Duration
    ) async throws(DeviceFault) -> ProbeStep.Outcome {
        guard let capturing = session as? any CapturingSession else {
            return .skipped("the driver receives no live events")
        }
        let listener = ProbeListener()
        let time = time
        let fault = await withTaskGroup(of: DeviceFault?.self) { group in
            group.addTask {
                do throws(DeviceFault) {
                    try await capturing.capture(into: listener)
                    return nil
                } catch {
                    return error.kind == .cancelled ? nil : error
                }
            }
            group.addTask {
                await listener.waitForSubscription(Self.subscriptionTimeout, time: time)
                if listener.isSubscribed { try? await time.sleep(for: live) }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        if let fault { throw fault }
        guard listener.isSubscribed else {
            throw DeviceFault(.timedOut, "the device did not accept the subscription")
        }
        if let record = listener.record {
            return .passed("\(record.code) punched at \(record.localTime); it stays in the device's log")
        }
        return .passed(
            live > .zero
                ? "subscribed; nobody punched within \(DurationText.format(live))"
                : "subscribed; --live 10s waits for a punch")
    }
}

/// Hears of a subscription and of the first punch, and takes none: what it refuses is not acknowledged.
private final class ProbeListener: PunchReceiver {
    private struct State {
        var isSubscribed = false
        var record: PunchRecord?
    }

    private let state = Mutex(State())
    private let subscription = AsyncStream.makeStream(of: Void.self)

    var isSubscribed: Bool { state.withLock { $0.isSubscribed } }
    var record: PunchRecord? { state.withLock { $0.record } }

    func subscribed() async {
        state.withLock { $0.isSubscribed = true }
        subscription.continuation.finish()
    }

    func receive(_ batch: CaptureBatch) async throws(DeviceFault) {
        state.withLock { $0.record = $0.record ?? batch.records.first }
        throw .cancelled
    }

    func waitForSubscription(_ limit: Duration, time: any TimeSource) async {
        _ = await time.withDeadline(limit) { for await _ in self.subscription.stream {} }
    }
}
