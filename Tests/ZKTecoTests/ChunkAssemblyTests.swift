import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoWire

@Suite("Datagrams put together")
struct ChunkAssemblyTests {
    private static let piece = 8

    /// The frames of an answer, numbered from `base` or all alike.
    private static func frames(_ bytes: [UInt8], numbersFrom base: Int?) -> [Packet] {
        stride(from: 0, to: bytes.count, by: piece).enumerated().map { index, start in
            Packet(
                code: Command.data, session: UInt16(base.map { $0 + index } ?? 7), replyNumber: 1,
                payload: Array(bytes[start..<min(start + piece, bytes.count)]))
        }
    }

    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) } }

    private func assemble(_ frames: [Packet], _ count: Int) -> ChunkAssembly {
        var assembly = ChunkAssembly(byteCount: count)
        for frame in frames { assembly.add(frame) }
        return assembly
    }

    @Test("numbered frames in any order, some twice, are the bytes that were sent")
    func anyOrder() {
        var random = SplitMix64(seed: 11)
        for count in 1...70 {
            let bytes = Self.bytes(count)
            let frames = Self.frames(bytes, numbersFrom: 0)
            let arriving = (frames + frames.prefix(2)).shuffled(using: &random)
            guard case .whole(let whole, _) = assemble(arriving, count).outcome(.unknown) else {
                Issue.record("\(count) bytes did not come together")
                continue
            }
            #expect(whole == bytes)
        }
    }

    @Test("without numbers, or with others than from 0, several frames are never taken for a whole")
    func noNumbers() {
        let bytes = Self.bytes(60)
        for base in [nil, 1, 2, 40_000] {
            let frames = Self.frames(bytes, numbersFrom: base)
            #expect(assemble(frames, 60).outcome(.unknown) == .unnumbered(frameByteCount: Self.piece))
            // One lost and another one twice: the count alone would not tell.
            let damaged = frames.dropLast(2) + [frames[0]] + frames.suffix(1)
            guard case .whole = assemble(Array(damaged), 60).outcome(.unknown) else { continue }
            Issue.record("a damaged answer was taken")
        }
    }

    @Test("what is missing is known once the terminal is known to number, and is nothing before")
    func missing() {
        let bytes = Self.bytes(60)
        let frames = Self.frames(bytes, numbersFrom: 0)
        let partial = assemble([frames[1], frames[7], frames[4]], 60)
        #expect(partial.outcome(.unknown) == .nothing)
        #expect(
            partial.outcome(.numbered(frameByteCount: Self.piece))
                == .parts([8: Array(bytes[8..<16]), 56: Array(bytes[56..<60]), 32: Array(bytes[32..<40])]))
        // The short last frame alone tells no length.
        #expect(
            assemble([frames[7]], 60).outcome(.numbered(frameByteCount: Self.piece))
                == .parts([56: Array(bytes[56...])]))
        #expect(assemble([frames[7]], 60).outcome(.unknown) == .nothing)
    }

    @Test("no bytes of any kind make more or less than was asked for")
    func anything() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<2_000 {
            let count = Int.random(in: 1...64, using: &random)
            let frames = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                Packet(
                    code: Command.data, session: UInt16.random(in: 0...5, using: &random), replyNumber: 1,
                    payload: Self.bytes(Int.random(in: 0...20, using: &random)))
            }
            for numbering in [ChunkAssembly.Numbering.unknown, .numbered(frameByteCount: 8)] {
                switch assemble(frames, count).outcome(numbering) {
                case .whole(let bytes, _): #expect(bytes.count == count)
                case .parts(let parts):
                    #expect(parts.allSatisfy { $0.key >= 0 && $0.key + $0.value.count <= count })
                case .unnumbered, .nothing: break
                }
            }
        }
    }
}
