internal import DeviceKit
internal import Journal

/// Answers the command line for the running host.
struct ControlDesk: Sendable {
    private let configuration: HostConfiguration
    private let fleet: Fleet
    private let delivery: DeliveryService
    private let outbox: Outbox

    init(_ configuration: HostConfiguration, fleet: Fleet, delivery: DeliveryService, journal: PunchJournal) {
        self.configuration = configuration
        self.fleet = fleet
        self.delivery = delivery
        outbox = Outbox(configuration, journal: journal)
    }

    /// - Parameter report: hears what is to be said before the answer.
    func answer(
        _ request: ControlRequest, report: @escaping @Sendable (ControlAnswer) async -> Void
    ) async -> ControlAnswer {
        switch request.verb {
        case .ping: return ControlAnswer()
        case .sync:
            let known = Set(configuration.devices.map(\.id.name))
            if let unknown = request.devices.first(where: { !known.contains($0) }) {
                return ControlAnswer(error: "the running host has no device \(unknown): restart it after a change")
            }
            return ControlAnswer(results: await fleet.sync(request.devices).map(\.controlItem))
        case .retry, .discard, .replay: return await deliverAgain(request)
        case .command: return await perform(request, report)
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
            return ControlAnswer(error: "the running host has no device \(name): restart it after a change")
        }
        let outcome = await supervisor.perform(command) { await report(ControlAnswer(progress: $0)) }
        switch outcome {
        case .success(let answer): return ControlAnswer(command: AnswerMessage(answer))
        case .failure(let fault): return ControlAnswer(faultCode: fault.code.rawValue, faultMessage: fault.message)
        }
    }

    private func deliverAgain(_ request: ControlRequest) async -> ControlAnswer {
        guard let sink = request.sink.flatMap({ configuration[sink: $0] }) else {
            let name = request.sink ?? ""
            return ControlAnswer(error: "the running host has no sink \(name): restart it after a change")
        }
        do throws(JournalError) {
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
