import DeviceKit
import ZKTecoWire

/// A stream of frames, cut by the first byte, must give packets or an error, and each packet its own bytes again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let step = Int(bytes.first ?? 0) + 1
    var decoder = FrameDecoder()
    var offset = 1
    while offset < bytes.count {
        let end = min(offset + step, bytes.count)
        decoder.append(bytes[offset..<end])
        offset = end
        while true {
            do {
                guard let packet = try decoder.next() else { break }
                precondition(Frame.bytes(packet).count == packet.payload.count + 16)
            } catch {
                // A packet with a wrong checksum is taken off; anything else ends the stream.
                guard case .packet = error else { return 0 }
            }
        }
    }
    return 0
}
