internal import DeviceKit
internal import Journal
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// The sinks, each under its pump, as a part of the host that can be stopped. Sinks come, go and change while it runs.
final class DeliveryService: Service {
    private let services: HostServices
    private let state: Mutex<State>
    private let arrivals: AsyncStream<Arrival>
    private let announce: AsyncStream<Arrival>.Continuation

    private struct State {
        var posts: [Post]
        var isStopping = false
    }

    /// A sink under its pump, from its opening to its end.
    private final class Post: Sendable {
        let pump: SinkPump
        /// The type of the sink.
        let type: String
        let dismissed = ChangeSignal()
        let ended = ChangeSignal()

        init(_ pump: SinkPump, type: String) {
            self.pump = pump
            self.type = type
        }
    }

    private struct Arrival: Sendable {
        let post: Post
        /// Pumps that have to end before: of the same sink, or of one that may have had the same target.
        let predecessors: [Post]
    }

    /// What the sinks get of a shutdown. What is not delivered by then is delivered after the next start.
    static let drainLimit = Duration.seconds(4)
    /// What a sink that is taken away gets for the batch that is under way.
    static let haltLimit = Duration.seconds(30)

    /// - Throws: for a sink whose settings cannot work.
    init(_ configuration: HostConfiguration, services: HostServices) throws(SinkFault) {
        self.services = services
        (arrivals, announce) = AsyncStream.makeStream(of: Arrival.self)
        var posts: [Post] = []
        for sink in configuration.sinks {
            let made = try Self.make(sink, configuration, services)
            posts.append(Self.post(sink, made, configuration, services))
        }
        state = Mutex(State(posts: posts))
        for post in posts { announce.yield(Arrival(post: post, predecessors: [])) }
    }

    private static func make(
        _ sink: HostConfiguration.Sink, _ configuration: HostConfiguration, _ services: HostServices
    ) throws(SinkFault) -> any PunchSink {
        let context = SinkContext(
            name: sink.name, baseDirectory: configuration.baseDirectory, time: services.time,
            log: LoggerBridge(services.log, "sink", sink.name),
            memory: JournalMemory(services.journal, sink: sink.name))
        return try sink.registration.make(sink.settings, context: context)
    }

    private static func post(
        _ sink: HostConfiguration.Sink, _ made: any PunchSink, _ configuration: HostConfiguration,
        _ services: HostServices
    ) -> Post {
        Post(
            SinkPump(
                SinkPump.Plan(sink, configuration.devices(of: sink)), sink: made, journal: services.journal,
                board: services.board, time: services.time, random: services.random,
                log: LoggerBridge(services.log, "sink", sink.name), events: services.events,
                redactor: services.redactor),
            type: sink.registration.manifest.id)
    }

    private var pumps: [SinkPump] { state.withLock { $0.posts.map(\.pump) } }

    func run() async throws {
        // Unstructured, so that the limit of a shutdown can cancel it: awaited here in every case.
        let work = Task {
            try await withThrowingDiscardingTaskGroup { group in
                for await arrival in arrivals { group.addTask { try await self.attend(arrival) } }
            }
        }
        let time = services.time
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await work.value
            } onGracefulShutdown: {
                self.stop()
                Task {
                    try? await time.sleep(for: Self.drainLimit)
                    work.cancel()
                }
            }
        } onCancel: {
            work.cancel()
        }
    }

    /// Lets ``run()`` return once everything that stands in the journal is delivered.
    private func stop() {
        let posts = state.withLock { state in
            state.isStopping = true
            return state.posts
        }
        for post in posts { post.pump.stop() }
        announce.finish()
    }

    private func attend(_ arrival: Arrival) async throws {
        for old in arrival.predecessors { try? await old.ended.wait(since: 0) }
        let (post, time) = (arrival.post, services.time)
        defer { post.ended.send() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await post.pump.run() }
            group.addTask {
                // Without end where nobody takes the sink away.
                try? await post.dismissed.wait(since: 0)
                try? await time.sleep(for: Self.haltLimit)
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Delivers what stands in the journal now, and returns.
    func deliverBacklog() async throws {
        stop()
        try await withThrowingDiscardingTaskGroup { group in
            for await arrival in arrivals { group.addTask { try await self.attend(arrival) } }
        }
    }

    /// There are punches in the journal that a sink is to get again.
    func redeliver(to sink: String) {
        for pump in pumps where pump.name == sink { pump.redeliver() }
    }
}

extension DeliveryService: ConfigurationFollower {
    func prepare(
        _ configuration: HostConfiguration, _ change: ConfigurationChange
    ) throws(ReloadRefusals) -> @Sendable () async -> Void {
        let begun = ConfigurationChange.begun(change.sinks)
        var made: [Post] = []
        var refusals: [ReloadRefusal] = []
        for sink in configuration.sinks where begun.contains(sink.name) {
            do throws(SinkFault) {
                let new = try Self.make(sink, configuration, services)
                made.append(Self.post(sink, new, configuration, services))
            } catch {
                refusals.append(ReloadRefusal(name: "sinks.\(sink.name)", reason: error.message))
            }
        }
        guard refusals.isEmpty else { throw ReloadRefusals(all: refusals) }
        let posts = made
        return { self.apply(configuration, change, posts) }
    }

    private func apply(_ configuration: HostConfiguration, _ change: ConfigurationChange, _ arriving: [Post]) {
        let (ended, adjusted) = (ConfigurationChange.ended(change.sinks), ConfigurationChange.adjusted(change.sinks))
        let leaving = state.withLock { state -> [Post]? in
            guard !state.isStopping else { return nil }
            let leaving = state.posts.filter { ended.contains($0.pump.name) }
            state.posts.removeAll { ended.contains($0.pump.name) }
            state.posts += arriving
            return leaving
        }
        guard let leaving else { return }
        for post in leaving {
            post.pump.halt()
            post.dismissed.send()
        }
        for post in arriving {
            let before = leaving.filter { $0.pump.name == post.pump.name || $0.type == post.type }
            announce.yield(Arrival(post: post, predecessors: before))
        }
        for pump in pumps where adjusted.contains(pump.name) {
            guard let sink = configuration[sink: pump.name] else { continue }
            pump.adjust(SinkPump.Plan(sink, configuration.devices(of: sink)))
        }
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
