import DeviceKit
import ZKTecoWire

/// Live events: every byte of a payload comes back, in an event or as undecodable.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEvents(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    var kept = 0
    for decoded in LiveEvent.decode(payload: bytes) {
        switch decoded {
        case .event(let event, let bytes):
            kept += bytes.count
            precondition(!event.code.isEmpty && (2000...2255).contains(event.time.date.year))
        case .undecodable(_, let bytes): kept += bytes.count
        }
    }
    precondition(kept == bytes.count)
    return 0
}
