internal import DeviceKit
internal import Journal
internal import Logging
internal import ServiceLifecycle

/// The sinks, each under its pump, as a part of the host that can be stopped.
struct DeliveryService: Service {
    let pumps: [SinkPump]
    private let time: any TimeSource

    /// What the sinks get of a shutdown. What is not delivered by then is delivered after the next start.
    static let drainLimit = Duration.seconds(4)

    /// - Throws: for a sink whose settings cannot work.
    init(_ configuration: HostConfiguration, services: HostServices) throws(SinkFault) {
        var pumps: [SinkPump] = []
        for sink in configuration.sinks {
            let log = LoggerBridge(services.log, "sink", sink.name)
            let context = SinkContext(
                name: sink.name, baseDirectory: configuration.baseDirectory, time: services.time, log: log,
                memory: JournalMemory(services.journal, sink: sink.name))
            pumps.append(
                SinkPump(
                    SinkPump.Plan(sink, configuration.devices(of: sink)),
                    sink: try sink.registration.make(sink.settings, context: context), journal: services.journal,
                    board: services.board, time: services.time, random: services.random, log: log,
                    events: services.events))
        }
        self.pumps = pumps
        time = services.time
    }

    func run() async throws {
        let pumps = pumps
        // Unstructured, so that the limit of a shutdown can cancel it: awaited here in every case.
        let work = Task {
            try await withThrowingDiscardingTaskGroup { group in
                for pump in pumps { group.addTask { try await pump.run() } }
            }
        }
        let time = time
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                // With no sink at all the host goes on until it is stopped.
                if pumps.isEmpty { try? await gracefulShutdown() }
                try await work.value
            } onGracefulShutdown: {
                for pump in pumps { pump.stop() }
                Task {
                    try? await time.sleep(for: Self.drainLimit)
                    work.cancel()
                }
            }
        } onCancel: {
            work.cancel()
        }
    }

    /// Delivers what stands in the journal now, and returns.
    func deliverBacklog() async throws {
        for pump in pumps { pump.stop() }
        try await withThrowingDiscardingTaskGroup { group in
            for pump in pumps { group.addTask { try await pump.run() } }
        }
    }

    /// There are punches in the journal that a sink is to get again.
    func redeliver(to sink: String) {
        for pump in pumps where pump.name == sink { pump.redeliver() }
    }
}

extension SinkPump.Plan {
    init(_ sink: HostConfiguration.Sink, _ devices: [HostConfiguration.Device]) {
        self.init(name: sink.name, devices: Set(devices.map(\.id)))
        selection = PunchSelection(
            includesInvalid: sink.includesInvalid, directions: sink.directions,
            rules: DirectionRules(devices, policy: sink.directionPolicy))
        backoff = Backoff(base: sink.retryBase, ceiling: sink.retryCeiling)
    }
}
