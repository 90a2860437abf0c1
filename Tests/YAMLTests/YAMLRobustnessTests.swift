import DeviceKit
import Testing
import YAML

@Suite("YAML robustness")
struct YAMLRobustnessTests {
    static let sample = Array(
        """
        data: ./muster-data  # journal
        sinks:
          audit: {type: file, path: "audit/{device}-{date}.jsonl", "k": 'it''s'}
        devices:
          front-door: &front
            name: Văn phòng
            settings: {address: 192.168.1.100, port: 4370, list: [a, "b\\u0041", ~]}
            notes: |
              two
              lines
            folded: >-
              one
              line
          lobby: *front
        """.utf8)

    /// The result must be sound: a tree, or an error that says where.
    private func check(_ bytes: [UInt8], _ what: Comment) {
        let reading = YAMLReader.read(bytes: bytes, file: "a.yaml")
        let hasError = reading.diagnostics.contains { $0.severity == .error }
        #expect(reading.root != nil || hasError, what)
        #expect(reading.diagnostics.allSatisfy { !$0.description.isEmpty && $0.mark.column <= 1_000_000 }, what)
    }

    @Test("survives a cut at every byte")
    func truncation() {
        for count in 0...Self.sample.count { check(Array(Self.sample.prefix(count)), "cut at \(count)") }
    }

    @Test("survives every single flipped bit")
    func bitFlips() {
        for offset in Self.sample.indices {
            for bit in 0..<8 {
                var bytes = Self.sample
                bytes[offset] ^= 1 << UInt8(bit)
                check(bytes, "bit \(bit) of byte \(offset)")
            }
        }
    }

    @Test("survives random bytes and random YAML punctuation", arguments: 0..<200)
    func noise(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let punctuation = Array("{}[]:,-?&*!|>'\"%@`#~ \n\t\r\\a1<=".utf8)
        let length = Int.random(in: 0..<400, using: &random)
        check((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }, "bytes of seed \(seed)")
        check(
            (0..<length).map { _ in punctuation[Int.random(in: 0..<punctuation.count, using: &random)] },
            "punctuation of seed \(seed)")
    }

    @Test("reads 10,000 devices as 10,000 devices")
    func large() throws {
        let text =
            "devices:\n" + (0..<10_000).map { "  d\($0): {driver: zkteco, settings: {address: 10.0.0.1}}\n" }.joined()
        let reading = readYAML(text)
        #expect(reading.diagnostics.isEmpty)
        #expect(try reading.root?.members().first?.node.members().count == 10_000)
    }
}
