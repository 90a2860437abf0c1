internal import DeviceKit
internal import ZKTecoWire

/// The answer to a bulk read over TCP, frame by frame: PREPARE_DATA, DATA, ACK_OK, or one DATA alone.
///
/// The announced bytes decide, not the closing ACK_OK: it has been seen to overtake the last data. A few bytes more than
/// announced are cut off.
struct StreamAssembly: Sendable {
    enum State: Sendable, Hashable {
        /// Nothing has come. Next: any other.
        case waiting
        /// So many bytes were announced. Next: ``closed``, ``whole``.
        case receiving(Int)
        /// The terminal says that it has sent everything, though bytes are missing. Next: ``whole``, if they come at once.
        case closed(Int)
        case whole
        case refused
    }

    private(set) var state = State.waiting
    private(set) var bytes: [UInt8] = []
    /// The most that may be announced.
    private let limit: Int
    private var received = 0
    private var frameCount = 0
    private var hasEnded = false

    /// Bytes that a terminal sent beyond a chunk.
    private static let largestStray = 16

    init(limit: Int) { self.limit = limit }

    /// - Throws: ``DeviceFault/Code/oversize`` for more than was announced or asked for, ``DeviceFault/Code/malformed`` and
    ///   ``DeviceFault/Code/unexpectedReply`` for what has no place here.
    mutating func add(_ frame: Packet) throws(DeviceFault) {
        switch state {
        case .waiting: try begin(frame)
        case .receiving(let byteCount), .closed(let byteCount): try goOn(frame, byteCount)
        // What follows belongs to nobody.
        case .whole, .refused: break
        }
    }

    private mutating func begin(_ frame: Packet) throws(DeviceFault) {
        switch frame.code {
        case Command.data:
            bytes = frame.payload
            state = .whole
        case Command.prepareData:
            let announced: ChunkAnnouncement
            do throws(WireError) {
                announced = try ChunkAnnouncement(payload: frame.payload)
            } catch {
                throw DeviceFault(.malformed, "the answer PREPARE_DATA: \(error)", evidence: frame.payload)
            }
            guard announced.byteCount <= UInt32(clamping: limit) else {
                throw DeviceFault(
                    .oversize, "\(announced.byteCount) bytes are announced, \(limit) were asked for")
            }
            state = .receiving(Int(announced.byteCount))
        default: state = .refused
        }
    }

    private mutating func goOn(_ frame: Packet, _ byteCount: Int) throws(DeviceFault) {
        switch frame.code {
        case Command.data:
            received += frame.payload.count
            frameCount += 1
            guard received <= byteCount + Self.largestStray, frameCount <= byteCount + Self.largestStray else {
                throw DeviceFault(.oversize, "the terminal sent more than the \(byteCount) bytes it announced")
            }
            bytes += frame.payload.prefix(byteCount - bytes.count)
        case Reply.ok: hasEnded = true
        default: throw OpeningFaults.refused("a bulk read", frame)
        }
        if hasEnded { state = bytes.count < byteCount ? .closed(byteCount) : .whole }
    }
}
