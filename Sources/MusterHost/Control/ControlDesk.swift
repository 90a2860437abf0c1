internal import DeviceKit
internal import Journal
internal import Logging

/// Answers the command line for the running host.
struct ControlDesk: Sendable {
    private let live: LiveConfiguration
    private let fleet: Fleet
    private let delivery: DeliveryService
    private let alerts: AlertRunner
    private let journal: PunchJournal
    /// `nil` for a host that does not know where its configuration came from.
    private let reloader: Reloader?
    private let logLevel: LogLevelSwitch

    init(
        _ live: LiveConfiguration, fleet: Fleet, delivery: DeliveryService, alerts: AlertRunner, journal: PunchJournal,
        reloader: Reloader?, logLevel: LogLevelSwitch
    ) {
        self.live = live
        self.logLevel = logLevel
        self.fleet = fleet
        self.delivery = delivery
        self.alerts = alerts
        self.journal = journal
        self.reloader = reloader
    }

    private var configuration: HostConfiguration { live.configuration }

    /// - Parameter report: hears what is to be said before the answer.
    func answer(
        _ request: ControlRequest, report: @escaping @Sendable (ControlAnswer) async -> Void
    ) async -> ControlAnswer {
        switch request.verb {
        case .ping: return ControlAnswer(reload: live.lastReload, generation: live.generation)
        case .reload:
            guard let report = await reloader?.reload(.command) else {
                return ControlAnswer(error: "the host is stopping, or has no file to read")
            }
            return ControlAnswer(reload: report, generation: report.generation)
        case .sync:
            let known = Set(configuration.devices.map(\.id.name))
            if let unknown = request.devices.first(where: { !known.contains($0) }) {
                return ControlAnswer(
                    error: "the running host has no device \(unknown): is its configuration another one? muster reload")
            }
            return ControlAnswer(results: await fleet.sync(request.devices).map(\.controlItem))
        case .accept, .resume: return await decide(request)
        case .retry, .discard, .replay: return await deliverAgain(request)
        case .command: return await perform(request, report)
        case .alert:
            guard let order = request.alert else {
                return ControlAnswer(error: "the host does not understand the order")
            }
            switch await alerts.carryOut(order) {
            case .success(let number): return ControlAnswer(count: Int(number))
            case .failure(let refusal): return ControlAnswer(error: refusal.message)
            }
        case .logLevel: return changeLogLevel(request.level)
        }
    }

    /// A command for one device, on the session that its supervisor has open.
    private func perform(
        _ request: ControlRequest, _ report: @escaping @Sendable (ControlAnswer) async -> Void
    ) async -> ControlAnswer {
        guard let command = request.command?.command, request.devices.count == 1, let name = request.devices.first
        else {
            return ControlAnswer(error: "the host does not understand the command")
        }
        guard let supervisor = fleet.supervisors.first(where: { $0.device.id.name == name }) else {
            return ControlAnswer(error: "the running host has no device \(name): muster reload")
        }
        let outcome = await supervisor.perform(command) { await report(ControlAnswer(progress: $0)) }
        switch outcome {
        case .success(let answer): return ControlAnswer(command: AnswerMessage(answer))
        case .failure(let fault): return ControlAnswer(faultCode: fault.code.rawValue, faultMessage: fault.message)
        }
    }

    private func decide(_ request: ControlRequest) async -> ControlAnswer {
        guard let name = request.devices.first, let decision = DeviceDecision(rawValue: request.verb.rawValue),
            let isDone = await fleet.decide(decision, of: name)
        else {
            return ControlAnswer(
                error: "the running host has no device \(request.devices.first ?? ""): restart it after a change")
        }
        return ControlAnswer(count: isDone ? 1 : 0)
    }

    /// Without a level only the one that holds is told.
    private func changeLogLevel(_ name: String?) -> ControlAnswer {
        if let name {
            guard let level = Logger.Level(rawValue: name) else {
                return ControlAnswer(error: "the running host knows no log level \(name.shortened)")
            }
            logLevel.level = level
        }
        return ControlAnswer(level: logLevel.level.rawValue)
    }

    private func deliverAgain(_ request: ControlRequest) async -> ControlAnswer {
        guard let sink = request.sink.flatMap({ configuration[sink: $0] }) else {
            let name = request.sink ?? ""
            return ControlAnswer(
                error: "the running host has no sink \(name): is its configuration another one? muster reload")
        }
        do throws(JournalError) {
            let outbox = Outbox(configuration, journal: journal)
            let count: Int
            switch request.verb {
            case .retry: count = try await outbox.retry(sink, positions: request.positions)
            case .discard: count = try await outbox.discard(sink, positions: request.positions)
            default:
                count = try await outbox.replay(
                    sink, devices: request.devices, since: request.since, until: request.until)
            }
            delivery.redeliver(to: sink.name)
            return ControlAnswer(count: count)
        } catch {
            return ControlAnswer(error: error.message)
        }
    }
}
