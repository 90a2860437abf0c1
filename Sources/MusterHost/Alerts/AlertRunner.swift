import Alerts
import DeviceKit
import Journal
import Logging

/// Drives the alert engine: hears the host, keeps the state in the journal, sends through the channels.
///
/// A message is stored before it is sent and struck off when it has arrived: after a crash it may come twice, with the
/// same id, and never not at all.
actor AlertRunner {
    private let services: HostServices
    private var configuration: HostConfiguration
    private var engine: AlertEngine
    private var saved: AlertState
    private var translation: HostSignals
    private var watch: AlertWatch
    /// How often the configuration was replaced.
    private var reloads = 0
    private var channels: [String: any AlertChannel] = [:]

    private let queue: HostEventQueue
    private let poke = ChangeSignal()
    private let (outbox, outgoing) = AsyncStream.makeStream(of: AlertSend.self)
    private var isSettling = false
    private var mustSettleAgain = false
    /// The journal failed for good.
    private var failure: JournalError?
    /// Channels whose failure was logged.
    private var failing: Set<String> = []

    /// How many ended incidents the journal keeps.
    static let historyLength = 1_000
    /// A step of the clock is noticed at the latest after this.
    private static let longestWait = Duration.seconds(60)

    /// Takes up what an earlier run has stored.
    init(_ configuration: HostConfiguration, services: HostServices) async throws(JournalError) {
        self.configuration = configuration
        self.services = services
        queue = HostEventQueue(isWanted: HostSignals.isWanted)
        saved = try await AlertStorage.load(services.journal.reader, random: services.random)
        engine = AlertEngine(configuration.alerts.plan(for: configuration), state: saved)
        translation = HostSignals(configuration)
        watch = try await AlertWatch(configuration, services)
        services.events.add(queue)
    }

    /// Runs until the task is cancelled.
    /// - Throws: what the journal throws, except that it is full.
    func run() async throws(JournalError) {
        makeChannels()
        await hearStart()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.hearEvents() }
            group.addTask { await self.lookAround() }
            group.addTask { await self.keepTime() }
            group.addTask { await self.pingDeadman() }
            for await send in outbox { group.addTask { await self.perform(send) } }
            group.cancelAll()
        }
        await lookOnceMore()
        for channel in channels.values { await channel.close() }
        if let failure { throw failure }
    }

    nonisolated func stop() { outgoing.finish() }

    /// The configuration of a reload.
    /// - Parameter made: its channels; `nil` to keep those that there are.
    fileprivate func follow(_ configuration: HostConfiguration, _ made: [String: any AlertChannel]?) async {
        self.configuration = configuration
        translation = HostSignals(configuration)
        watch.follow(configuration)
        reloads += 1
        engine.replan(configuration.alerts.plan(for: configuration))
        if let made {
            let old = channels
            channels = made
            for channel in old.values { await channel.close() }
        }
        await settle()
    }

    /// What an operator asks for.
    func carryOut(_ order: AlertOrder) async -> Result<Int64, AlertOrder.Refusal> {
        let result = order.carryOut(on: &engine, at: moment)
        await settle()
        return result
    }

    // MARK: Hearing

    private var moment: AlertMoment { AlertMoment(now: services.time.now(), uptime: services.time.uptime()) }

    /// Conditions that were stored; absences are noticed by the attempts to connect.
    private func hearStart() async {
        guard let statuses = try? await services.journal.reader.statuses() else { return }
        let signals = statuses.flatMap { device, known in
            known.status.map { translation.signals(device, $0) } ?? []
        }
        await take(signals)
    }

    private func hearEvents() async {
        while let entries = try? await queue.next() {
            await take(entries.flatMap { translation.signals($0.event, at: $0.at) })
        }
    }

    private func lookAround() async {
        while !Task.isCancelled {
            let reload = reloads
            var watch = watch
            let signals = await watch.look()
            // What was seen by a configuration that no longer holds is of no use.
            if reload == reloads {
                self.watch = watch
                await take(signals)
            }
            guard (try? await services.time.sleep(for: configuration.alerts.lookEvery)) != nil else { return }
        }
    }

    /// What came in since the last look, while the devices were being stopped: it is told after the next start.
    private func lookOnceMore() async {
        guard failure == nil else { return }
        var watch = watch
        await take(await watch.look())
    }

    private func take(_ signals: [AlertSignal]) async {
        guard !signals.isEmpty else { return }
        engine.take(signals, at: moment)
        await settle()
    }

    /// Steps at the engine's deadlines.
    private func keepTime() async {
        while !Task.isCancelled {
            let generation = poke.generation
            await settle()
            let wait = engine.deadline.map { max($0 - services.time.now(), .milliseconds(1)) } ?? Self.longestWait
            await pause(min(wait, Self.longestWait), or: generation)
        }
    }

    private func pause(_ wait: Duration, or generation: UInt64) async {
        let (time, poke) = (services.time, poke)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await time.sleep(for: wait) }
            group.addTask { try? await poke.wait(since: generation) }
            await group.next()
            group.cancelAll()
        }
    }

    // MARK: Acting

    /// One at a time: what it stores is compared with what was stored before.
    private func settle() async {
        mustSettleAgain = true
        guard !isSettling else { return }
        isSettling = true
        defer { isSettling = false }
        let before = engine.deadline
        while mustSettleAgain {
            mustSettleAgain = false
            let sends = engine.step(at: moment)
            await store(engine.takeEnded())
            for send in sends { outgoing.yield(send) }
        }
        if engine.deadline != before { poke.send() }
    }

    private func store(_ ended: [Incident]) async {
        let state = engine.state
        let changes = AlertStore.changes(from: saved, to: state, ended: ended)
        guard !changes.isEmpty else { return }
        do throws(JournalError) {
            try await AlertStorage.save(changes, to: services.journal)
            saved = state
        } catch {
            // Without room it is stored later; what is told meanwhile may be told again after a restart.
            guard error.kind != .full else { return }
            failure = failure ?? error
            stop()
        }
    }

    private func perform(_ send: AlertSend) async {
        guard let channel = channels[send.channel] else {
            engine.failed(
                send.message.id, by: send.channel, ChannelFault(.permanent, "the channel cannot be made"), at: moment)
            return await settle()
        }
        let outcome: Result<ChannelReceipt, ChannelFault>
        do throws(ChannelFault) {
            outcome = .success(try await channel.send(send))
        } catch {
            outcome = .failure(error)
        }
        switch outcome {
        case .success(let receipt):
            noteSuccess(send, receipt)
            engine.sent(send.message.id, by: send.channel, reference: receipt.reference, at: moment)
        case .failure(let fault):
            noteFailure(send, fault)
            engine.failed(send.message.id, by: send.channel, fault, at: moment)
        }
        await settle()
    }

    private func noteSuccess(_ send: AlertSend, _ receipt: ChannelReceipt) {
        if failing.remove(send.channel) != nil {
            services.log.notice("messages arrive again", metadata: ["channel": "\(send.channel)"])
        }
        if let remark = receipt.remark {
            services.log.warning(
                "a message did not reach everybody", metadata: ["channel": "\(send.channel)", "reason": "\(remark)"])
        }
    }

    private func noteFailure(_ send: AlertSend, _ fault: ChannelFault) {
        guard fault.kind != .cancelled, failing.insert(send.channel).inserted else { return }
        services.log.error(
            "ADMIN ALERT a message could not be delivered",
            metadata: ["channel": "\(send.channel)", "reason": "\(fault.message)", "title": "\(send.message.title)"])
    }

    private func makeChannels() {
        let (made, refusals) = Self.channels(of: configuration, services)
        channels = made
        for refusal in refusals {
            services.log.error(
                "ADMIN ALERT a channel for alerts cannot be made",
                metadata: ["channel": "\(refusal.name)", "reason": "\(refusal.reason)"])
        }
    }

    fileprivate static func channels(
        of configuration: HostConfiguration, _ services: HostServices
    ) -> ([String: any AlertChannel], [ReloadRefusal]) {
        var made: [String: any AlertChannel] = [:]
        var refusals: [ReloadRefusal] = []
        for channel in configuration.alerts.effectiveChannels {
            let name = channel.plan.name
            do throws(ChannelFault) {
                made[name] = try channel.registration.make(
                    channel.settings, context: AlertStorage.context(name, configuration, services.time, services.log))
            } catch {
                refusals.append(ReloadRefusal(name: "alerts.channels.\(name)", reason: error.message))
            }
        }
        return (made, refusals)
    }

    /// Silence of the host itself is noticed elsewhere.
    private func pingDeadman() async {
        var isFailing = false
        while !Task.isCancelled {
            let deadman = configuration.alerts.deadman
            if let deadman {
                do throws(ChannelFault) {
                    try await configuration.alerts.types.ping(deadman.url.reveal())
                    if isFailing { services.log.notice("the dead-man's switch answers again") }
                    isFailing = false
                } catch {
                    if !isFailing, !Task.isCancelled {
                        services.log.warning(
                            "the dead-man's switch does not answer", metadata: ["reason": "\(error.message)"])
                    }
                    isFailing = true
                }
            }
            guard (try? await services.time.sleep(for: deadman?.every ?? Self.longestWait)) != nil else { return }
        }
    }
}

extension AlertRunner: ConfigurationFollower {
    nonisolated func prepare(
        _ configuration: HostConfiguration, _ change: ConfigurationChange
    ) throws(ReloadRefusals) -> @Sendable () async -> Void {
        guard change.adjusted.contains("alerts") else {
            // Devices and sinks may be others all the same.
            return { [self] in await follow(configuration, nil) }
        }
        let (made, refusals) = Self.channels(of: configuration, services)
        guard refusals.isEmpty else { throw ReloadRefusals(all: refusals) }
        return { [self] in await follow(configuration, made) }
    }
}
