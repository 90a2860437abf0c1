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

    /// Answers the command line.
    func answer(_ request: ControlRequest) async -> ControlAnswer {
        switch request.verb {
        case .ping: return ControlAnswer(results: [])
        case .sync:
            let known = Set(supervisors.map(\.device.id.name))
            if let unknown = request.devices.first(where: { !known.contains($0) }) {
                return ControlAnswer(
                    results: [], error: "the running host has no device \(unknown): restart it after a change")
            }
            let wanted = supervisors.filter {
                request.devices.isEmpty ? $0.device.isEnabled : request.devices.contains($0.device.id.name)
            }
            let services = services
            let results = await wanted.concurrently(Self.syncConcurrency) { supervisor in
                await services.result(supervisor.device, await supervisor.sync())
            }
            return ControlAnswer(results: results.map(\.controlItem))
        }
    }
}
