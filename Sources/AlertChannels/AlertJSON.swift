import Alerts
import DeviceKit

/// A message as JSON, for programs: the generic webhook's body and what a command reads.
enum AlertJSON {
    /// The keys `type, timestamp, data`, as in Standard Webhooks.
    static func event(_ message: AlertMessage) -> JSONNode {
        .object([
            "type": .string("alert.\(message.kind.rawValue)"), "timestamp": .string(message.at.description),
            "data": data(message),
        ])
    }

    private static func data(_ message: AlertMessage) -> JSONNode {
        .object([
            "id": .string(message.id), "incident": message.incident.map { .integer(Int($0)) } ?? .null,
            "thread": .string(message.thread), "severity": .string(message.severity.rawValue),
            "title": .string(message.title), "text": .string(message.text), "site": text(message.site),
            "cause": text(message.cause), "since": text(message.since?.description),
            "acknowledged_by": text(message.acknowledgedBy), "subjects": .integer(message.itemCount),
            "resolved": .integer(message.resolvedCount), "recovered_punches": .integer(message.recovered),
            "alerts": .array(message.items.map(item)),
        ])
    }

    private static func item(_ item: AlertMessage.Item) -> JSONNode {
        .object([
            "rule": .string(item.rule.rawValue), "kind": .string(item.subject.kind.rawValue),
            "subject": .string(item.subject.name), "name": .string(item.name),
            "severity": .string(item.severity.rawValue), "detail": .string(item.detail),
            "since": .string(item.since.description), "resolved_at": text(item.resolvedAt?.description),
            "recovered_punches": .integer(item.recovered),
        ])
    }

    private static func text(_ text: String?) -> JSONNode { text.map { .string($0) } ?? .null }
}
