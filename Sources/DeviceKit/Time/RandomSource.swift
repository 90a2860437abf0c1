internal import Synchronization

/// A source of chance that several tasks can share. The host's is the system's; a test's is seeded.
public protocol RandomSource: Sendable {
    /// 64 evenly distributed bits.
    func next() -> UInt64
}

/// The system's own source.
public struct SystemRandom: RandomSource {
    public init() {}

    public func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// SplitMix64: the same seed gives the same numbers on every machine. Not for secrets.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A seeded source of chance: one seed replays one run.
public final class SeededRandom: RandomSource {
    private let generator: Mutex<SplitMix64>

    public init(seed: UInt64) { generator = Mutex(SplitMix64(seed: seed)) }

    public func next() -> UInt64 { generator.withLock { $0.next() } }
}

/// Lets a shared source serve the standard library's `using:` parameters.
public struct RandomGenerator: RandomNumberGenerator {
    private let source: any RandomSource

    public init(_ source: any RandomSource) { self.source = source }

    public mutating func next() -> UInt64 { source.next() }
}
