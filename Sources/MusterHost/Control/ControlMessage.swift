internal import Foundation

/// What the command line asks a running host: one JSON object a line, one answer a line.
struct ControlRequest: Codable, Sendable, Hashable {
    enum Verb: String, Codable, Sendable { case sync, ping }

    var verb: Verb
    /// Empty means all that are enabled.
    var devices: [String]

    /// A request longer than this is refused.
    static let maximumByteCount = 64 * 1_024
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
        var faultCode: String?
        var faultMessage: String?
    }

    var results: [Item]
    /// Why the host did nothing.
    var error: String?

    static let maximumByteCount = 16 * 1_024 * 1_024
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
