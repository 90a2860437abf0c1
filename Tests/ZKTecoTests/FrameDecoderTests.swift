import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoWire

@Suite("The frame decoder")
struct FrameDecoderTests {
    private static let packets = [
        Packet(code: 2000, session: 17, replyNumber: 1),
        Packet(code: 500, session: 1, replyNumber: 0, payload: Array("1002".utf8)),
        Packet(code: 1501, session: 3, replyNumber: 65_534, payload: [UInt8](repeating: 0x5A, count: 1_001)),
    ]

    @Test("gives the same packets however the bytes arrive, and invents none from damaged ones")
    func deliveries() {
        let verifier = DecoderVerifier(
            make: { FrameDecoder() }, append: { $0.append($1) }, next: { try $0.next() })
        let samples = Self.packets.map {
            DecoderVerifier<Packet>.Sample("code \($0.code)", bytes: Frame.bytes($0), values: [$0])
        }
        #expect(verifier.differences(samples, flips: .inventsNothing).isEmpty)
    }

    @Test("rejects a frame with a wrong checksum and stays in step")
    func checksum() throws {
        var decoder = FrameDecoder()
        var damaged = Frame.bytes(Self.packets[1])
        damaged[damaged.count - 1] ^= 1
        decoder.append(damaged)
        decoder.append(Frame.bytes(Self.packets[0]))
        #expect(throws: FrameError.self) { try decoder.next() }
        #expect(try decoder.next() == Self.packets[0])
    }

    @Test(
        "rejects lengths that no packet has",
        arguments: [0, 7, UInt32(Frame.maximumPacketByteCount) + 1, 0x8000_0000, .max])
    func lengths(_ length: UInt32) {
        var writer = ByteWriter()
        writer.append(Frame.magic)
        writer.u32(length)
        var decoder = FrameDecoder()
        decoder.append(writer.bytes)
        #expect(throws: FrameError.length(length)) { try decoder.next() }
    }

    @Test("sees another service at its first byte, and secure communication by its magic")
    func otherServices() {
        var web = FrameDecoder()
        web.append(Array("H".utf8))
        #expect(throws: FrameError.notThisProtocol(found: [0x48])) { try web.next() }
        var secure = FrameDecoder()
        secure.append(Frame.secureMagic)
        #expect(throws: FrameError.secureCommunication) { try secure.next() }
    }
}

@Suite("Record layouts")
struct RecordLayoutTests {
    private static let record = AttendanceRecord(
        uid: 7, code: "1002", time: LocalDateTime(year: 2024, month: 2, day: 29, hour: 13) ?? .earliest,
        verification: 15, state: 255, workCode: 3)

    @Test("what a layout holds survives it", arguments: RecordLayout.allCases)
    func roundTrip(_ layout: RecordLayout) throws {
        var expected = Self.record
        switch layout {
        case .bytes8, .bytes8B:
            expected.code = nil
            expected.workCode = nil
        case .bytes16: expected.uid = nil
        case .bytes22: expected.workCode = nil
        case .bytes40, .bytes49: break
        }
        let bytes = layout.encode(Self.record)
        #expect(bytes.count == layout.byteCount)
        #expect(try layout.decode(bytes[...]) == expected)
    }

    @Test(
        "no bytes of the right length crash a layout, and a wrong length is refused", arguments: RecordLayout.allCases)
    func anyBytes(_ layout: RecordLayout) {
        var random = SplitMix64(seed: 4)
        for _ in 0..<2_000 {
            let bytes = (0..<layout.byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = try? layout.decode(bytes[...])
        }
        for count in 0..<layout.byteCount {
            #expect(throws: WireError.self) { try layout.decode([UInt8](repeating: 0, count: count)[...]) }
        }
    }

    @Test("a user id that is empty or holds control characters is a fault of the record")
    func userCode() {
        var nameless = Self.record
        nameless.code = ""
        #expect(throws: WireError.self) { try RecordLayout.bytes40.decode(RecordLayout.bytes40.encode(nameless)[...]) }
        var strange = Self.record
        strange.code = "10\u{1B}[2J"
        #expect(throws: WireError.self) { try RecordLayout.bytes40.decode(RecordLayout.bytes40.encode(strange)[...]) }
    }

    @Test("live events: every length either decodes or is kept whole")
    func everyLength() {
        for count in 0..<220 {
            let payload = [UInt8](repeating: 0x31, count: count)
            let pieces = LiveEvent.decode(payload: payload)
            let kept = pieces.map {
                switch $0 {
                case .event(_, let bytes), .undecodable(_, let bytes): bytes.count
                }
            }
            #expect(kept.reduce(0, +) == count)
        }
    }

    @Test("several events in one payload of 52 bytes each are all there")
    func manyEvents() throws {
        let time = try #require(LocalDateTime("2024-02-29 13:45:59"))
        let events = (1...5).map { LiveEvent(code: "\($0)", time: time, verification: 1, state: 0) }
        let decoded = LiveEvent.decode(payload: events.flatMap { $0.payload(byteCount: 52) })
        #expect(decoded == events.map { .event($0, bytes: $0.payload(byteCount: 52)) })
    }
}
