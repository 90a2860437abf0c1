import DeviceKit
import Foundation
import Testing

@testable import ZKTecoWire

/// What the fuzzer found worth keeping, replayed by every run of the tests.
@Suite("The fuzzer's corpus")
struct CorpusTests {
    private func files(_ target: String) throws -> [[UInt8]] {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<2 { root.deleteLastPathComponent() }
        let folder = root.appendingPathComponent("Fuzz/Corpus/\(target)")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.map { Array(try Data(contentsOf: $0)) }
    }

    @Test("frames")
    func frames() throws {
        let inputs = try files("frames")
        #expect(inputs.count > 20)
        for input in inputs {
            var decoder = FrameDecoder()
            decoder.append(input.dropFirst())
            while let packet = try? decoder.next() { #expect(Frame.bytes(packet).count == packet.payload.count + 16) }
        }
    }

    @Test("records and users")
    func records() throws {
        let inputs = try files("records")
        #expect(inputs.count > 10)
        for input in inputs {
            for layout in RecordLayout.allCases {
                guard let record = try? layout.decode(input.prefix(layout.byteCount)) else { continue }
                #expect(try layout.decode(layout.encode(record)[...]) == record)
            }
            for layout in UserLayout.allCases {
                guard let user = try? layout.decode(input.prefix(layout.byteCount), readsPassword: true) else {
                    continue
                }
                #expect(try layout.decode(layout.encode(user)[...], readsPassword: true) == user)
            }
        }
    }

    @Test("chunks of bulk data")
    func chunks() throws {
        let inputs = try files("chunks")
        #expect(inputs.count > 10)
        for input in inputs { #expect(ChunkScript(input).violation() == nil) }
    }

    @Test("live events")
    func events() throws {
        let inputs = try files("events")
        #expect(inputs.count > 5)
        for input in inputs {
            let kept = LiveEvent.decode(payload: input).map {
                switch $0 {
                case .event(_, let bytes), .undecodable(_, let bytes): bytes.count
                }
            }
            #expect(kept.reduce(0, +) == input.count)
        }
    }
}
