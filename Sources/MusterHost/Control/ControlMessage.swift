internal import DeviceKit
internal import Foundation

/// What the command line asks a running host: one JSON object a line, one answer a line.
struct ControlRequest: Codable, Sendable, Hashable {
    enum Verb: String, Codable, Sendable {
        case sync, ping, retry, discard, replay, accept, resume, command, reload, alert, logLevel
    }

    var verb: Verb
    /// Empty means all that are enabled; for a replay, all of the sink.
    var devices: [String] = []
    /// The sink of a retry, a discard or a replay.
    var sink: String?
    /// The dead letters; `nil` for all that are parked.
    var positions: [Int64]?
    /// The span of a replay, by the time of the punches: from, inclusive, and until, exclusive.
    var since: Instant?
    var until: Instant?
    /// For the one device that is named.
    var command: CommandMessage?
    var alert: AlertOrder?
    /// The log level to set; `nil` to ask for it.
    var level: String?

    /// A request longer than this is refused. Templates are sent in portions.
    static let maximumByteCount = 256 * 1_024
}

struct ControlAnswer: Codable, Sendable, Hashable {
    struct Item: Codable, Sendable, Hashable {
        var device: String
        var name: String
        var synced: Int
        var today: Int
        var duplicates: Int
        var rejected: Int
        var skipped: Int
        var completeThrough: Instant?
        var faultCode: String?
        var faultMessage: String?
    }

    var results: [Item] = []
    /// How many punches a retry, a discard or a replay concerns.
    var count: Int?
    /// How a reload went; for a ping, the last one that was not without effect.
    var reload: ReloadReport?
    /// Of the configuration that holds now.
    var generation: Int?
    /// The log level that holds.
    var level: String?
    /// Why the host did nothing.
    var error: String?
    /// What happens meanwhile; the answer itself is still to come.
    var progress: EnrolmentEvent?
    /// What the device answered to a command, or why it did not.
    var command: AnswerMessage?
    var faultCode: String?
    var faultMessage: String?

    static let maximumByteCount = 64 * 1_024 * 1_024
}

enum ControlCoding {
    /// The value as one line.
    static func line(_ value: some Encodable) -> [UInt8] {
        // These types hold strings and numbers only: they always encode.
        let data = (try? JSONEncoder().encode(value)) ?? Data()
        return Array(data) + [0x0A]
    }

    static func decode<Value: Decodable>(_ line: [UInt8], as type: Value.Type) -> Value? {
        try? JSONDecoder().decode(type, from: Data(line))
    }
}
