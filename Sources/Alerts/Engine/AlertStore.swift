internal import DeviceKit
internal import Foundation

/// One stored part of the state.
public struct AlertRow: Sendable, Hashable {
    public struct Key: Sendable, Hashable {
        /// `alert`, `incident`, `channel`, `silence`, `engine`, and `history` for incidents that ended.
        public var kind: String
        public var name: String

        public init(kind: String, name: String) {
            self.kind = kind
            self.name = name
        }
    }

    public var key: Key
    /// JSON.
    public var text: String

    public init(key: Key, text: String) {
        self.key = key
        self.text = text
    }
}

/// The state as rows of JSON, so that a change writes what changed, and a later version may add what it needs.
public enum AlertStore {
    /// What has to be written to make one state of another.
    public struct Changes: Sendable, Hashable {
        public var written: [AlertRow] = []
        public var removed: [AlertRow.Key] = []

        public var isEmpty: Bool { written.isEmpty && removed.isEmpty }
    }

    private struct Engine: Codable, Hashable {
        var host: String
        var nextNumber: Int64
    }

    public static func rows(_ state: AlertState) -> [AlertRow] { changes(from: nil, to: state).written }

    /// - Parameter ended: incidents that go into the history.
    public static func changes(
        from old: AlertState?, to new: AlertState, ended: [Incident] = []
    ) -> Changes {
        var changes = Changes()
        let engine = Engine(host: new.host, nextNumber: new.nextNumber)
        if old.map({ Engine(host: $0.host, nextNumber: $0.nextNumber) }) != engine {
            changes.written.append(row("engine", "engine", engine))
        }
        compare(old?.alerts ?? [:], new.alerts, "alert", { $0.description }, &changes)
        compare(old?.incidents ?? [:], new.incidents, "incident", number, &changes)
        compare(old?.channels ?? [:], new.channels, "channel", { $0 }, &changes)
        compare(old?.silences ?? [:], new.silences, "silence", number, &changes)
        changes.written += ended.map { row("history", number($0.id), $0) }
        return changes
    }

    /// Zero-padded: by name is by age.
    private static func number(_ number: Int64) -> String {
        let digits = String(max(number, 0))
        return String(repeating: "0", count: max(12 - digits.count, 0)) + digits
    }

    private static func compare<Key: Hashable & Comparable, Value: Hashable & Encodable>(
        _ old: [Key: Value], _ new: [Key: Value], _ kind: String, _ name: (Key) -> String, _ changes: inout Changes
    ) {
        for key in new.keys.sorted() {
            guard let value = new[key], old[key] != value else { continue }
            changes.written.append(row(kind, name(key), value))
        }
        changes.removed += old.keys.filter { new[$0] == nil }.sorted().map {
            AlertRow.Key(kind: kind, name: name($0))
        }
    }

    private static func row(_ kind: String, _ name: String, _ value: some Encodable) -> AlertRow {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // Texts, whole numbers and finite ones: they always encode.
        let text = (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        return AlertRow(key: AlertRow.Key(kind: kind, name: name), text: text)
    }

    /// The state of stored rows. A row that cannot be read is left out: what it told of is found again or is over.
    /// - Parameter newHost: names the host when nothing is stored.
    public static func state(_ rows: [AlertRow], newHost: String) -> AlertState {
        var state = AlertState(host: newHost)
        for row in rows {
            switch row.key.kind {
            case "engine":
                guard let engine = decode(row, as: Engine.self) else { continue }
                state.host = engine.host
                state.nextNumber = engine.nextNumber
            case "alert": if let record = decode(row, as: AlertRecord.self) { state.alerts[record.key] = record }
            case "incident": if let incident = incident(row) { state.incidents[incident.id] = incident }
            case "channel": state.channels[row.key.name] = decode(row, as: ChannelRecord.self)
            case "silence": if let silence = decode(row, as: Silence.self) { state.silences[silence.id] = silence }
            default: continue
            }
        }
        return state
    }

    /// `nil` for another kind of row, and for one that cannot be read.
    public static func incident(_ row: AlertRow) -> Incident? {
        row.key.kind == "incident" || row.key.kind == "history" ? decode(row, as: Incident.self) : nil
    }

    private static func decode<Value: Decodable>(_ row: AlertRow, as type: Value.Type) -> Value? {
        try? JSONDecoder().decode(type, from: Data(row.text.utf8))
    }
}
