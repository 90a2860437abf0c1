internal import DeviceKit
internal import ZKTecoWire

/// The operation log: what was done at the terminal. When it is full, the oldest entry goes.
struct OperationShelf: Sendable {
    private(set) var records: ArraySlice<OperationRecord> = []

    static let capacity = 10_000

    mutating func add(_ operation: UInt8, at time: LocalDateTime, _ parameters: [UInt16] = []) {
        if records.count >= Self.capacity { records = records.dropFirst() }
        records.append(OperationRecord(operation: operation, time: time, parameters: parameters))
    }

    mutating func removeAll() { records = [] }

    /// The set with its length prefix.
    var set: [UInt8] {
        var writer = ByteWriter(capacity: 4 + records.count * OperationRecord.byteCount)
        writer.u32(UInt32(clamping: records.count * OperationRecord.byteCount))
        for record in records { writer.append(record.bytes) }
        return writer.bytes
    }
}
