internal import DeviceKit
internal import Postgres

/// What an error of the database means to the host.
enum PostgresFaults {
    /// The server refuses a value of the batch, not the batch as a whole.
    static func concernsValues(_ error: PostgresError) -> Bool {
        guard let state = error.sqlState else { return false }
        // 22: data exceptions. 23: constraints, such as a CHECK that somebody added. 54000: a value that is too large
        // for an index. 23505 is only met by a copy and handled there.
        return state.hasPrefix("22") || state.hasPrefix("23") || state == "54000"
    }

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
    private static func isForPeople(_ state: String) -> Bool { state.hasPrefix("42") || state.hasPrefix("3F") }

    private static func remedy(_ state: String, schema: String) -> String {
        switch state {
        case "42501": ": grant the sink's user usage and create on schema \(schema), or name another schema"
        case "53100": ": make room on the server's disk"
        default: ""
        }
    }
}
