/// A set that a client reads in chunks: a snapshot, taken when it was prepared.
enum PreparedSet: Sendable, Equatable {
    case log(RecordLog)
    case bytes([UInt8])

    var byteCount: Int {
        switch self {
        case .log(let log): log.setByteCount
        case .bytes(let bytes): bytes.count
        }
    }

    /// The bytes from `start`, at most `byteCount` of them and none past the end.
    func bytes(from start: Int, byteCount: Int) -> [UInt8] {
        switch self {
        case .log(let log): return log.setBytes(from: start, byteCount: byteCount)
        case .bytes(let bytes):
            guard start >= 0, start < bytes.count, byteCount > 0 else { return [] }
            return Array(bytes[start..<min(bytes.count, start + min(byteCount, bytes.count))])
        }
    }
}
