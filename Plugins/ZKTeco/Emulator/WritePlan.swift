internal import DeviceKit
internal import ZKTecoWire

/// How a frame leaves in relation to the next one.
public enum FrameFlow: Sendable, Hashable {
    /// One write of its own.
    case alone
    /// One write of its own, then a pause: clients that take one read for one frame need it between the frames of a
    /// bulk answer.
    case paced
    /// Joined with the next frame if that is ready too.
    case joined
}

/// Frames cut and joined into writes. Each write is flushed by itself; the socket has no delay.
struct WritePlan: Sendable {
    let pacing: Duration
    let splitByteCount: Int?
    let coalesces: Bool
    let delay: Duration

    /// Joined frames are written in portions of about this many bytes.
    private static let largestJoin = 65_536

    struct Write: Sendable, Hashable {
        var bytes: [UInt8]
        var pauseBefore: Duration = .zero
        var pauseAfter: Duration = .zero
    }

    /// - Parameter faults: come before the options.
    init(_ options: EmulatorOptions, _ faults: FaultState? = nil) {
        pacing = options.pacing
        splitByteCount = (faults?.splitByteCount ?? options.splitByteCount).map { max($0, 1) }
        coalesces = options.coalesces || faults?.has(.coalesce) ?? false
        delay = faults?.delay ?? .zero
    }

    /// - Parameter frames: what one input made ready for one connection, in order.
    func writes(_ frames: [(bytes: [UInt8], flow: FrameFlow)]) -> [Write] {
        var writes: [Write] = []
        var joinsNext = false
        for frame in frames {
            if joinsNext, let last = writes.last, last.bytes.count < Self.largestJoin {
                writes[writes.count - 1].bytes += frame.bytes
            } else {
                writes.append(Write(bytes: frame.bytes, pauseBefore: delay))
            }
            joinsNext = coalesces || frame.flow == .joined
            if !joinsNext, frame.flow == .paced { writes[writes.count - 1].pauseAfter = pacing }
        }
        return writes.flatMap(split)
    }

    private func split(_ write: Write) -> [Write] {
        guard let splitByteCount, write.bytes.count > splitByteCount else { return [write] }
        var pieces = stride(from: 0, to: write.bytes.count, by: splitByteCount).map { start in
            Write(bytes: Array(write.bytes[start..<min(start + splitByteCount, write.bytes.count)]))
        }
        pieces[0].pauseBefore = write.pauseBefore
        pieces[pieces.count - 1].pauseAfter = write.pauseAfter
        return pieces
    }
}

/// Packets as datagrams. A terminal sends them no faster than a client with small buffers can take them.
enum DatagramPlan {
    /// After so many datagrams in a row.
    static let burst = 32
    static let pause = Duration.milliseconds(1)

    struct Write: Sendable {
        var packet: Packet
        var pauseAfter: Duration
    }

    static func writes(_ packets: [Packet]) -> [Write] {
        packets.enumerated().map { index, packet in
            Write(packet: packet, pauseAfter: (index + 1) % burst == 0 ? pause : .zero)
        }
    }
}
