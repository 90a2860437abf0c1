public import Alerts
internal import DeviceKit
public import Journal

/// What an operator can ask of the alerts.
public struct AlertOrder: Codable, Sendable, Hashable {
    enum Action: String, Codable, Sendable { case acknowledge, silence, unsilence }

    var action: Action
    /// Of an incident, or of a silence that is to end.
    var number: Int64?
    /// What is silenced; nothing for everything.
    var rule: AlertRule?
    var subject: AlertSubject?
    var seconds: Int64?
    var by: String
    var why: String?

    public static func acknowledge(_ incident: Int64, by person: String) -> AlertOrder {
        AlertOrder(action: .acknowledge, number: incident, by: person)
    }

    public static func silence(
        _ rule: AlertRule?, _ subject: AlertSubject?, for duration: Duration, by person: String, why: String
    ) -> AlertOrder {
        AlertOrder(
            action: .silence, rule: rule, subject: subject, seconds: duration.components.seconds, by: person, why: why)
    }

    public static func endSilence(_ number: Int64, by person: String) -> AlertOrder {
        AlertOrder(action: .unsilence, number: number, by: person)
    }

    /// Why nothing was done.
    public struct Refusal: Error, Sendable, Hashable {
        public let message: String
    }

    /// - Returns: the number of the incident or the silence.
    func carryOut(on engine: inout AlertEngine, at moment: AlertMoment) -> Result<Int64, Refusal> {
        switch action {
        case .acknowledge:
            guard let number, engine.acknowledge(number, by: by, at: moment) else {
                return .failure(Refusal(message: "there is no open incident \(number ?? 0)"))
            }
            return .success(number)
        case .silence:
            let length = Duration.seconds(min(max(seconds ?? 0, 1), 366 * 86_400))
            return .success(engine.silence(rule, subject, for: length, by: by, why: why ?? "", at: moment))
        case .unsilence:
            guard let number, engine.endSilence(number) else {
                return .failure(Refusal(message: "there is no silence \(number ?? 0)"))
            }
            return .success(number)
        }
    }
}

/// Alerts as the journal knows them, for the command line.
public struct AlertArchive: Sendable {
    public var open: [Incident]
    /// The newest first.
    public var ended: [Incident]
    public var silences: [Silence]
    public var channels: [String: ChannelRecord]

    /// - Parameter history: how many ended incidents at the most.
    public init(_ reader: JournalReader, history: Int) async throws(JournalError) {
        let state = try await AlertStorage.load(reader, random: SystemRandom())
        open = state.incidents.values.filter { !$0.isClosed && $0.toldAt != nil }.sorted { $0.id < $1.id }
        silences = state.silences.values.sorted { $0.id < $1.id }
        channels = state.channels
        let closing = state.incidents.values.filter { $0.isClosed && $0.toldAt != nil }.sorted { $0.id > $1.id }
        let parts = try await reader.alertParts(kinds: ["history"], limit: history)
        let stored = parts.compactMap { AlertStore.incident(AlertStorage.row($0)) }
        ended = Array((closing + stored).prefix(history))
    }

    /// Carries an order out without a host: it finds it at its next start.
    public static func carryOut(
        _ order: AlertOrder, _ configuration: HostConfiguration, journal: PunchJournal
    ) async throws(JournalError) -> Result<Int64, AlertOrder.Refusal> {
        let state = try await AlertStorage.load(journal.reader, random: SystemRandom())
        var engine = AlertEngine(configuration.alerts.plan(for: configuration), state: state)
        let time = SystemTime()
        let result = order.carryOut(on: &engine, at: AlertMoment(now: time.now(), uptime: time.uptime()))
        try await AlertStorage.save(AlertStore.changes(from: state, to: engine.state), to: journal)
        return result
    }
}
