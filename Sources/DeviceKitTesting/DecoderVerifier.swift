/// Runs an incremental decoder over the same bytes in every way that a network can deliver them.
///
/// A decoder takes bytes as they come and gives values: `nil` means "not yet", a throw means "never".
/// ```swift
/// let verifier = DecoderVerifier(make: { FrameDecoder() }, append: { $0.append($1) }, next: { try $0.next() })
/// #expect(verifier.differences(samples) == [])
/// ```
public struct DecoderVerifier<Value: Equatable & Sendable> {
    /// Some bytes and all the values that they are.
    public struct Sample {
        public let name: String
        public let bytes: [UInt8]
        public let values: [Value]

        public init(_ name: String, bytes: [UInt8], values: [Value]) {
            self.name = name
            self.bytes = bytes
            self.values = values
        }
    }

    /// What the decoder did otherwise than it should have.
    public struct Difference: Sendable, Hashable, CustomStringConvertible {
        public let sample: String
        /// Which way of delivery, with its offset.
        public let check: String
        public let expected: String
        public let found: String

        public var description: String { "\(sample), \(check): expected \(expected), found \(found)" }
    }

    /// What a damaged byte must lead to.
    public enum FlipRule: Sendable {
        /// No crash; any values or error will do. For bytes without a checksum.
        case survives
        /// No value that the undamaged bytes do not hold. For bytes that a checksum covers.
        case inventsNothing
    }

    private struct Outcome {
        var values: [Value] = []
        var error: String?
    }

    private let run: (_ chunks: [ArraySlice<UInt8>]) -> Outcome

    /// - Parameters:
    ///   - make: a fresh decoder.
    ///   - append: hands it bytes.
    ///   - next: its next value; called again until it is `nil`.
    public init<Decoder>(
        make: @escaping () -> Decoder, append: @escaping (inout Decoder, [UInt8]) throws -> Void,
        next: @escaping (inout Decoder) throws -> Value?
    ) {
        run = { chunks in
            var decoder = make()
            var outcome = Outcome()
            do {
                for chunk in chunks {
                    try append(&decoder, Array(chunk))
                    while let value = try next(&decoder) { outcome.values.append(value) }
                }
            } catch {
                outcome.error = "\(error)"
            }
            return outcome
        }
    }

    /// Every way of delivery for every sample; empty when the decoder is right. The cost is quadratic in the length of
    /// a sample: keep samples below some kilobytes.
    public func differences(_ samples: [Sample], flips rule: FlipRule = .survives) -> [Difference] {
        samples.flatMap { sample in
            whole(sample) + byteByByte(sample) + cutInTwo(sample) + truncated(sample) + flipped(sample, rule)
        } + together(samples) + withTrailingBytes(samples)
    }

    private func whole(_ sample: Sample) -> [Difference] {
        compare(sample.name, "whole", run([sample.bytes[...]]), with: sample.values)
    }

    private func byteByByte(_ sample: Sample) -> [Difference] {
        compare(
            sample.name, "byte by byte", run(sample.bytes.indices.map { sample.bytes[$0...$0] }), with: sample.values)
    }

    private func cutInTwo(_ sample: Sample) -> [Difference] {
        sample.bytes.indices.dropFirst().flatMap { offset in
            compare(
                sample.name, "cut in two at \(offset)", run([sample.bytes[..<offset], sample.bytes[offset...]]),
                with: sample.values)
        }
    }

    /// A sample that ends early gives the values that were complete, and no error: more could come.
    private func truncated(_ sample: Sample) -> [Difference] {
        sample.bytes.indices.compactMap { offset in
            let outcome = run([sample.bytes[..<offset]])
            let isShorter = outcome.values.count < max(sample.values.count, 1)
            guard !isShorter || !sample.values.starts(with: outcome.values) || outcome.error != nil else { return nil }
            return Difference(
                sample: sample.name, check: "ends at \(offset)", expected: "some of the values, not all, and no error",
                found: Self.text(outcome))
        }
    }

    private func flipped(_ sample: Sample, _ rule: FlipRule) -> [Difference] {
        sample.bytes.indices.compactMap { offset in
            var bytes = sample.bytes
            bytes[offset] ^= 1 << UInt8(offset % 8)
            let outcome = run([bytes[...]])
            guard case .inventsNothing = rule, !outcome.values.allSatisfy(sample.values.contains) else { return nil }
            return Difference(
                sample: sample.name, check: "one bit flipped in byte \(offset)", expected: "no invented value",
                found: Self.text(outcome))
        }
    }

    private func together(_ samples: [Sample]) -> [Difference] {
        let bytes = samples.flatMap(\.bytes)
        return compare("all samples", "in one read", run([bytes[...]]), with: samples.flatMap(\.values))
    }

    /// The first half of the next sample must not change what the sample is, and must not become a value.
    private func withTrailingBytes(_ samples: [Sample]) -> [Difference] {
        zip(samples, samples.dropFirst() + samples.prefix(1)).flatMap { sample, next in
            let trailing = next.values.count == 1 ? next.bytes.prefix(next.bytes.count / 2) : []
            return compare(
                sample.name, "with trailing bytes", run([(sample.bytes + trailing)[...]]), with: sample.values)
        }
    }

    private func compare(
        _ sample: String, _ check: String, _ outcome: Outcome, with expected: [Value]
    ) -> [Difference] {
        guard outcome.error != nil || outcome.values != expected else { return [] }
        return [Difference(sample: sample, check: check, expected: "\(expected)", found: Self.text(outcome))]
    }

    private static func text(_ outcome: Outcome) -> String {
        outcome.error.map { "\(outcome.values), then \($0)" } ?? "\(outcome.values)"
    }
}
