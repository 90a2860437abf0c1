internal import DeviceKit
internal import Postgres

/// What an error of the database means to the host.
enum PostgresFaults {
    /// The server refuses a value of the batch, not the batch as a whole.
    static func concernsValues(_ error: PostgresError, _ batch: ArraySlice<JournaledPunch>) -> Bool {
        guard let state = error.sqlState else { return false }
        switch state {
        // Our statement, not its values: each punch would be refused alike.
        case invalidParameter, missingValue: return false
        // Too large for an index; or the queue of notices is full, which passes.
        case "54000": return batch.contains { $0.punch.code.utf8.count > longestIndexedCode }
        // Escapes of characters that the database's encoding cannot have.
        case unsupported: return batch.contains { $0.punch.record.raw.text.contains(#"\u"#) }
        // 22: data exceptions. 23: constraints, such as a CHECK that somebody added. P0001: a trigger of theirs refuses.
        default: return state.hasPrefix("22") || state.hasPrefix("23") || state == "P0001"
        }
    }

    /// Of a value alone, whatever the table's constraints are: raw data, for example, that is no JSON to the server.
    static func isUnreadableValue(_ error: PostgresError) -> Bool {
        error.sqlState.map { $0.hasPrefix("22") || $0 == unsupported } ?? false
    }

    private static let unsupported = "0A000"

    /// A channel's name that the server does not take, for example.
    private static let invalidParameter = "22023"
    /// A column that somebody added, without a default and never NULL.
    private static let missingValue = "23502"
    /// A third of a page holds an entry of an index; below this the code is not the reason.
    private static let longestIndexedCode = 2_000

    static func fault(_ error: PostgresError, schema: String) -> SinkFault {
        switch error.kind {
        case .interrupted: return SinkFault(.cancelled, "interrupted")
        case .connection, .timedOut: return SinkFault(.transient, "the database cannot be reached: \(error.message)")
        case .server(let state):
            if state == PostgresSink.unusable { return SinkFault(.permanent, error.message) }
            return SinkFault(
                isForPeople(state) ? .permanent : .transient,
                "the database refuses: \(error.message)\(remedy(state, schema: schema))")
        }
    }

    /// Names and rights: waiting does not help. Refused credentials show as a failed connection.
    private static func isForPeople(_ state: String) -> Bool {
        state.hasPrefix("42") || state.hasPrefix("3F") || state == invalidParameter || state == missingValue
    }

    private static func remedy(_ state: String, schema: String) -> String {
        switch state {
        case "42501": ": grant the sink's user usage and create on schema \(schema), or name another schema"
        case "53100": ": make room on the server's disk"
        case missingValue: ": give the column that was added a default"
        default: ""
        }
    }
}
