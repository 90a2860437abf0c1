import DeviceKit

@testable import ZKTecoDriver
@testable import ZKTecoWire

/// Answers to bulk reads made from any bytes, as a fuzzer makes them, and what must hold of their assembly over TCP and UDP.
///
/// The first byte says whether the frames are invented (even) or belong to a set (odd), and in its second bit whether the
/// terminal numbers them.
struct ChunkScript {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// What does not hold; `nil` when all is well.
    func violation() -> String? {
        var reader = ByteReader(bytes)
        guard let kind = try? reader.u8() else { return nil }
        if kind & 1 == 0 { return Self.inventedFrames(&reader) }
        return Self.framesOfASet(&reader, isNumbered: kind & 2 != 0)
    }

    // MARK: Invented frames

    private static let limit = 4_096

    private static func inventedFrames(_ reader: inout ByteReader) -> String? {
        var stream = StreamAssembly(limit: limit)
        var chunk = ChunkAssembly(byteCount: Int((try? reader.u8()) ?? 0))
        var numberings = [ChunkAssembly.Numbering.unknown]
        if let usual = try? reader.u8(), usual > 0 {
            numberings += [.numbered(frameByteCount: Int(usual)), .unnumbered(frameByteCount: Int(usual))]
        }
        while let packet = packet(&reader) {
            do throws(DeviceFault) {
                try stream.add(packet)
            } catch {
                stream = StreamAssembly(limit: limit)
            }
            if let wrong = violation(stream) { return wrong }
            switch packet.code {
            case Command.data: chunk.add(packet)
            case Command.prepareData:
                if let announced = try? ChunkAnnouncement(payload: packet.payload), announced.byteCount <= limit {
                    chunk.announce(Int(announced.byteCount))
                }
            default: chunk.close()
            }
            for numbering in numberings {
                if let wrong = violation(chunk.outcome(numbering), byteCount: chunk.byteCount) { return wrong }
            }
        }
        return nil
    }

    /// A frame: a byte for its kind, its session, the length of its payload, the payload.
    private static func packet(_ reader: inout ByteReader) -> Packet? {
        let codes = [Command.data, Command.prepareData, Reply.ok, Reply.error]
        guard let kind = try? reader.u8(), let session = try? reader.u8(), let length = try? reader.u8(),
            let payload = try? reader.take(min(Int(length), reader.remaining))
        else { return nil }
        return Packet(
            code: codes[Int(kind) % codes.count], session: UInt16(session), replyNumber: 1, payload: Array(payload))
    }

    private static func violation(_ stream: StreamAssembly) -> String? {
        switch stream.state {
        case .waiting, .refused: stream.bytes.isEmpty ? nil : "bytes without data"
        case .receiving(let count): stream.bytes.count <= count ? nil : "more bytes than announced"
        case .closed(let count): stream.bytes.count < count ? nil : "whole, and not said so"
        case .whole: nil
        }
    }

    private static func violation(_ outcome: ChunkAssembly.Outcome, byteCount: Int) -> String? {
        switch outcome {
        case .whole(let bytes, _): return bytes.count == byteCount ? nil : "\(bytes.count) bytes of \(byteCount)"
        case .parts(let parts):
            var end = 0
            for (offset, part) in parts.sorted(by: { $0.key < $1.key }) {
                guard offset >= end, offset + part.count <= byteCount else { return "a part at a wrong place" }
                end = offset + part.count
            }
            return nil
        case .unnumbered, .nothing: return nil
        }
    }

    // MARK: Frames of a set

    /// Frames of one set, some lost, some twice, in any order: what comes of them is the set or less.
    private static func framesOfASet(_ reader: inout ByteReader, isNumbered: Bool) -> String? {
        guard let count = try? reader.u8(), let size = try? reader.u8(), let seed = try? reader.u8() else { return nil }
        let usual = Int(size % 32) + 1
        let set = (0..<Int(count) + 1).map { UInt8(truncatingIfNeeded: $0 &* Int(seed | 1) &+ Int(seed)) }
        let pieces = stride(from: 0, to: set.count, by: usual).map { Array(set[$0..<min($0 + usual, set.count)]) }
        var chunk = ChunkAssembly(byteCount: set.count)
        while let choice = try? reader.u8() {
            let place = Int(choice) % pieces.count
            let session = isNumbered ? UInt16(place) : UInt16(seed)
            chunk.add(Packet(code: Command.data, session: session, replyNumber: 1, payload: pieces[place]))
            if let wrong = violation(chunk.outcome(.unknown), of: set) { return wrong }
            guard isNumbered else { continue }
            if let wrong = violation(chunk.outcome(.numbered(frameByteCount: usual)), of: set) { return wrong }
        }
        return violationOfStream(set, pieces)
    }

    private static func violation(_ outcome: ChunkAssembly.Outcome, of set: [UInt8]) -> String? {
        switch outcome {
        case .whole(let bytes, _): return bytes == set ? nil : "another set than the one that was sent"
        case .parts(let parts):
            let isRight = parts.allSatisfy { offset, part in set.dropFirst(offset).starts(with: part) }
            return isRight ? nil : "a part that is not of the set"
        case .unnumbered, .nothing: return nil
        }
    }

    /// Over TCP, in order, and with the end before the last piece.
    private static func violationOfStream(_ set: [UInt8], _ pieces: [[UInt8]]) -> String? {
        let announced = ChunkAnnouncement(byteCount: UInt32(set.count), frameByteCount: nil).payload
        var frames = [Packet(code: Command.prepareData, session: 1, replyNumber: 1, payload: announced)]
        frames += pieces.map { Packet(code: Command.data, session: 1, replyNumber: 1, payload: $0) }
        frames.append(Packet(code: Reply.ok, session: 1, replyNumber: 1))
        var overtaken = frames
        overtaken.swapAt(frames.count - 1, frames.count - 2)
        for order in [frames, overtaken] {
            var stream = StreamAssembly(limit: set.count)
            for frame in order {
                guard (try? stream.add(frame)) != nil else { return "a set that was refused" }
            }
            guard stream.state == .whole, stream.bytes == set else { return "another set than the one in the stream" }
        }
        return nil
    }
}
