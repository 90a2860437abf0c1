internal import DeviceKit
internal import Journal

/// All devices of a host, each under its supervisor.
struct Fleet: Sendable {
    let supervisors: [Supervisor]
    private let services: HostServices

    /// What the command line may have to wait for at most.
    private static let syncConcurrency = 16

    init(_ devices: [HostConfiguration.Device], services: HostServices) {
        self.services = services
        supervisors = devices.map { Supervisor($0, services: services) }
    }

    /// Runs until every supervisor has been stopped.
    func run() async {
        await withDiscardingTaskGroup { group in
            for supervisor in supervisors { group.addTask { await supervisor.run() } }
        }
    }

    func requestStop() {
        for supervisor in supervisors { supervisor.requestStop() }
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
