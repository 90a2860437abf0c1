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

    func answer(_ request: ControlRequest) async -> ControlAnswer {
        switch request.verb {
        case .ping: return ControlAnswer()
        case .sync:
            let known = Set(configuration.devices.map(\.id.name))
            if let unknown = request.devices.first(where: { !known.contains($0) }) {
                return ControlAnswer(error: "the running host has no device \(unknown): restart it after a change")
            }
            return ControlAnswer(results: await fleet.sync(request.devices).map(\.controlItem))
        case .retry, .discard, .replay: return await deliverAgain(request)
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
