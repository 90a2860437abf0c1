import DeviceKit
import ZKTecoWire

/// Records, users, counters and the headers of bulk transfers: a value or an error, and what was read is written again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRecords(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    for layout in RecordLayout.allCases {
        guard let record = try? layout.decode(bytes.prefix(layout.byteCount)) else { continue }
        precondition((try? layout.decode(layout.encode(record)[...])) == record)
    }
    for layout in UserLayout.allCases {
        guard let user = try? layout.decode(bytes.prefix(layout.byteCount), readsPassword: true) else { continue }
        precondition((try? layout.decode(layout.encode(user)[...], readsPassword: true)) == user)
    }
    _ = try? Counters(bytes: bytes)
    _ = try? BulkRequest(payload: bytes)
    _ = try? BulkAnnouncement(payload: bytes)
    _ = try? ChunkRequest(payload: bytes)
    _ = try? ChunkAnnouncement(payload: bytes)
    _ = OptionText.split(bytes)
    _ = CommKey.accepts(bytes, key: 12_345, session: 1)
    return 0
}
