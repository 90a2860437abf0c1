/// Why a conversation with a PostgreSQL server failed.
public struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// There is no connection, or it was lost. What a statement did that was under way is not known.
        case connection
        /// The server refused with this SQLSTATE, five characters.
        case server(sqlState: String)
        /// No answer within the deadline. The connection is closed: what the statement did is not known.
        case timedOut
        /// ``PostgresInterrupt/interrupt()`` was called. The connection is closed.
        case interrupted
    }

    public let kind: Kind
    /// What the server or the library said, in one line. Never the connection string.
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// The SQLSTATE when the server refused, else `nil`.
    public var sqlState: String? {
        if case .server(let state) = kind { return state }
        return nil
    }

    public var description: String { message }
}
