internal import DeviceKit

/// A network that loses, doubles and reorders datagrams. Seeded: the same datagrams meet the same fate.
public struct DatagramFaults: Sendable {
    /// Shares of all datagrams, 0...1 each.
    public struct Rates: Sendable, Hashable {
        public var loss: Double
        public var duplication: Double
        /// A datagram that is held back until the next ones in its direction have passed.
        public var reordering: Double

        public init(loss: Double = 0, duplication: Double = 0, reordering: Double = 0) {
            self.loss = loss
            self.duplication = duplication
            self.reordering = reordering
        }
    }

    private let rates: Rates
    private var random: SplitMix64
    /// Held back, with how many datagrams still have to pass it.
    private var held: [(datagram: [UInt8], passes: Int)] = []
    /// What became of the datagrams so far.
    public private(set) var lost = 0
    public private(set) var doubled = 0
    public private(set) var delayed = 0

    /// At most this many are held back at a time.
    private static let largestHold = 16

    public init(_ rates: Rates, seed: UInt64) {
        self.rates = rates
        random = SplitMix64(seed: seed)
    }

    /// What arrives when this datagram is sent: nothing, itself, itself twice, and those that it lets pass.
    public mutating func pass(_ datagram: [UInt8]) -> [[UInt8]] {
        var arriving: [[UInt8]] = []
        if chance(rates.loss) {
            lost += 1
        } else if chance(rates.reordering), held.count < Self.largestHold {
            delayed += 1
            held.append((datagram, 1 + Int(random.next() % 3)))
            // It cannot let itself pass.
            return release(except: held.count - 1)
        } else {
            arriving.append(datagram)
            if chance(rates.duplication) {
                doubled += 1
                arriving.append(datagram)
            }
        }
        return arriving + release(except: nil)
    }

    private mutating func release(except newest: Int?) -> [[UInt8]] {
        var released: [[UInt8]] = []
        var kept: [(datagram: [UInt8], passes: Int)] = []
        for (index, var entry) in held.enumerated() {
            if index != newest { entry.passes -= 1 }
            if entry.passes <= 0 { released.append(entry.datagram) } else { kept.append(entry) }
        }
        held = kept
        return released
    }

    private mutating func chance(_ share: Double) -> Bool {
        share > 0 && Double.random(in: 0..<1, using: &random) < share
    }
}
