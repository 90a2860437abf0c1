internal import CLibPQ

/// What a statement answered: copied, so that nothing of libpq's memory is kept.
public struct PostgresResult: Sendable, Hashable {
    /// Values as the server's text; `nil` for NULL.
    public let rows: [[String?]]
    public let columns: [String]
    /// Rows that an INSERT, UPDATE, DELETE or COPY touched; 0 for other statements.
    public let affectedCount: Int

    /// - Parameter result: not freed here.
    init(_ result: OpaquePointer) {
        let width = PQnfields(result)
        columns = (0..<width).map { column in PQfname(result, column).map { String(cString: $0) } ?? "" }
        rows = (0..<PQntuples(result)).map { row in
            (0..<width).map { column in
                guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
                    return nil
                }
                let bytes = UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, row, column)))
                return String(decoding: bytes, as: UTF8.self)
            }
        }
        affectedCount = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
    }
}
