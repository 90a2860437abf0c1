internal import DeviceKit
internal import Journal
internal import Synchronization

/// All devices of a host, each under its supervisor. Devices come, go and change while it runs.
final class Fleet: Sendable {
    private let services: HostServices
    private let state: Mutex<State>
    private let arrivals: AsyncStream<Arrival>
    private let announce: AsyncStream<Arrival>.Continuation

    private struct State {
        /// In the order of the configuration.
        var stays: [Stay]
        var isStopping = false
    }

    /// A device under its supervisor, from the start to the end of its session.
    private final class Stay: Sendable {
        let supervisor: Supervisor
        let ended = ChangeSignal()

        init(_ supervisor: Supervisor) { self.supervisor = supervisor }

        var id: DeviceID { supervisor.device.id }
    }

    private struct Arrival: Sendable {
        let stay: Stay
        /// Sessions that have to end before: a terminal takes one connection, and the address may have been theirs.
        let predecessors: [Stay]
    }

    /// What the command line may have to wait for at most.
    private static let syncConcurrency = 16

    init(_ devices: [HostConfiguration.Device], services: HostServices) {
        self.services = services
        (arrivals, announce) = AsyncStream.makeStream(of: Arrival.self)
        let stays = devices.map { Stay(Supervisor($0, services: services)) }
        state = Mutex(State(stays: stays))
        for stay in stays { announce.yield(Arrival(stay: stay, predecessors: [])) }
    }

    var supervisors: [Supervisor] { state.withLock { $0.stays.map(\.supervisor) } }

    /// Runs until ``requestStop()``, and until every supervisor has ended.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await arrival in arrivals { group.addTask { await self.attend(arrival) } }
        }
    }

    func requestStop() {
        let stays = state.withLock { state in
            state.isStopping = true
            return state.stays
        }
        for stay in stays { stay.supervisor.requestStop() }
        announce.finish()
    }

    private func attend(_ arrival: Arrival) async {
        for old in arrival.predecessors { try? await old.ended.wait(since: 0) }
        await arrival.stay.supervisor.run()
        arrival.stay.ended.send()
        let id = arrival.stay.id
        let isGone = state.withLock { state in !state.isStopping && !state.stays.contains { $0.id == id } }
        if isGone { services.board.remove(id) }
    }

    /// - Returns: whether there was anything to decide; `nil` when there is no such device.
    func decide(_ decision: DeviceDecision, of device: String) async -> Bool? {
        guard let supervisor = supervisors.first(where: { $0.device.id.name == device }) else { return nil }
        switch decision {
        case .accept: return await supervisor.accept()
        case .resume:
            supervisor.resume()
            return true
        }
    }

    /// Polls devices now, each after the poll that may be running.
    /// - Parameter names: empty means all that are enabled.
    func sync(_ names: [String]) async -> [SyncResult] {
        let wanted = supervisors.filter {
            names.isEmpty ? $0.device.isEnabled : names.contains($0.device.id.name)
        }
        let services = services
        return await wanted.concurrently(Self.syncConcurrency) { supervisor in
            await services.result(supervisor.device, await supervisor.sync())
        }
    }
}

extension Fleet: ConfigurationFollower {
    func prepare(
        _ configuration: HostConfiguration, _ change: ConfigurationChange
    ) throws(ReloadRefusals) -> @Sendable () async -> Void {
        let begun = ConfigurationChange.begun(change.devices)
        let refusals = configuration.devices.filter { begun.contains($0.id.name) }.compactMap(refusal)
        guard refusals.isEmpty else { throw ReloadRefusals(all: refusals) }
        return { await self.apply(configuration, change) }
    }

    /// Why the driver does not take the device's settings.
    private func refusal(_ device: HostConfiguration.Device) -> ReloadRefusal? {
        do throws(DeviceFault) {
            _ = try device.driver.make(device.settings, context: services.drivers.context(for: device))
            return nil
        } catch {
            return ReloadRefusal(name: "devices.\(device.id)", reason: error.message)
        }
    }

    private func apply(_ configuration: HostConfiguration, _ change: ConfigurationChange) async {
        let (ended, begun) = (ConfigurationChange.ended(change.devices), ConfigurationChange.begun(change.devices))
        let adjusted = ConfigurationChange.adjusted(change.devices)
        let (leaving, arriving) = state.withLock { state -> ([Stay], [Stay]) in
            guard !state.isStopping else { return ([], []) }
            let leaving = state.stays.filter { ended.contains($0.id.name) }
            let staying = Dictionary(
                state.stays.filter { !ended.contains($0.id.name) }.map { ($0.id, $0) },
                uniquingKeysWith: { first, _ in first })
            var arriving: [Stay] = []
            state.stays = configuration.devices.compactMap { device in
                if let stay = staying[device.id] { return stay }
                guard begun.contains(device.id.name) else { return nil }
                let stay = Stay(Supervisor(device, services: services))
                arriving.append(stay)
                return stay
            }
            return (leaving, arriving)
        }
        services.gate.update(configuration.sites)
        for stay in leaving { stay.supervisor.requestStop() }
        for stay in arriving { announce.yield(Arrival(stay: stay, predecessors: leaving)) }
        for supervisor in supervisors where adjusted.contains(supervisor.device.id.name) {
            guard let device = configuration[device: supervisor.device.id] else { continue }
            await supervisor.describe(as: device)
        }
    }
}
