internal import DeviceKit

/// What goes wrong with a device: drawn from the seed, so that one seed is one history.
struct DeviceFaultEvent {
    enum Kind: Int32 {
        /// The link breaks; the next attempt may work.
        case drop
        /// Connections are refused.
        case refuse
        /// Nothing is answered, and what is sent arrives later or never.
        case silent
        /// The credentials are refused.
        case locked
        /// The log cannot be decoded; the link is well.
        case malformed
        /// Somebody clears the log at the terminal.
        case clear
        /// Another terminal answers at the address.
        case swap
        /// The clock is set wrong, by ``amount`` milliseconds.
        case clockOff
        /// The clock shows no date.
        case clockBroken
        /// Somebody asks for a poll.
        case sync
        /// An operator takes capture up again.
        case resume
        /// The configuration of this device is changed and reloaded.
        case reload
    }

    var kind: Kind
    var begin: Int64
    var end: Int64
    var amount: Int64 = 0
    /// Of another terminal: an operator accepts it.
    var isAccepted = false
}

/// What happens to the host.
struct HostFaultEvent {
    enum Kind: Int32 {
        /// Killed, and started again at the end.
        case restart
        /// The wall clock jumps by ``amount`` milliseconds, and back at the end.
        case clockStep
    }

    var kind: Kind
    var begin: Int64
    var end: Int64
    var amount: Int64 = 0
}

enum FaultPlan {
    private static let hour: Int64 = 3_600_000
    private static let day: Int64 = 24 * hour

    /// - Parameter until: nothing begins or ends after it.
    static func device(until: Int64, using random: inout SplitMix64) -> [DeviceFaultEvent] {
        let count = Int.random(in: 0...9, using: &random)
        return (0..<count).map { _ in
            let begin = Int64.random(in: hour..<until - hour, using: &random)
            func lasting(_ range: ClosedRange<Int64>) -> Int64 {
                min(begin + Int64.random(in: range, using: &random), until)
            }
            switch Int.random(in: 0..<24, using: &random) {
            case 0..<5: return DeviceFaultEvent(kind: .drop, begin: begin, end: begin)
            case 5..<8: return DeviceFaultEvent(kind: .refuse, begin: begin, end: lasting(60_000...40 * hour))
            case 8..<11: return DeviceFaultEvent(kind: .silent, begin: begin, end: lasting(5_000...6 * hour))
            case 11: return DeviceFaultEvent(kind: .locked, begin: begin, end: lasting(60_000...5 * hour))
            case 12: return DeviceFaultEvent(kind: .malformed, begin: begin, end: lasting(600_000...9 * hour))
            case 13: return DeviceFaultEvent(kind: .clear, begin: begin, end: begin)
            case 14...15:
                return DeviceFaultEvent(
                    kind: .swap, begin: begin, end: lasting(600_000...30 * hour),
                    isAccepted: Bool.random(using: &random))
            case 16...17:
                // None is off by as much as the host's clock is stepped: two clocks that agree are taken for right.
                let amounts: [Int64] = [
                    -5_000, 5_000, -95_000, 95_000, -hour - 300_000, hour + 300_000, -day - hour, day + hour,
                    -40 * day, 40 * day,
                ]
                return DeviceFaultEvent(
                    kind: .clockOff, begin: begin, end: lasting(600_000...30 * hour),
                    amount: amounts.randomElement(using: &random) ?? hour)
            case 18: return DeviceFaultEvent(kind: .clockBroken, begin: begin, end: lasting(600_000...9 * hour))
            case 19...20: return DeviceFaultEvent(kind: .sync, begin: begin, end: begin)
            case 21: return DeviceFaultEvent(kind: .resume, begin: begin, end: begin)
            default: return DeviceFaultEvent(kind: .reload, begin: begin, end: begin)
            }
        }
    }

    static func host(until: Int64, using random: inout SplitMix64) -> [HostFaultEvent] {
        let restarts = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            let begin = Int64.random(in: hour..<until - hour, using: &random)
            return HostFaultEvent(
                kind: .restart, begin: begin, end: begin + Int64.random(in: 500...900_000, using: &random))
        }
        guard Bool.random(using: &random) else { return restarts }
        let amounts: [Int64] = [-hour, hour, -day, day, -10 * 60_000, 60_000 * 10]
        let begin = Int64.random(in: day..<until - 5 * day, using: &random)
        let step = HostFaultEvent(
            kind: .clockStep, begin: begin, end: begin + Int64.random(in: 600_000...20 * hour, using: &random),
            amount: amounts.randomElement(using: &random) ?? hour)
        // A host that is started with a wrong clock has nothing to doubt it by.
        return restarts.filter { $0.end < step.begin || $0.begin > step.end } + [step]
    }
}
