public import DeviceKit

/// What can go wrong with a terminal, on order: `split 7`, typed at a running emulator or written in a script.
public enum EmulatorFault: Sendable, Hashable {
    // These happen once.

    /// Closes all connections.
    case drop
    /// Off for so long: connections are closed, and new ones refused.
    case restart(Duration)
    /// The same, and the log is empty afterwards.
    case restartCleared(Duration)
    case clearLog
    /// The clock goes forward or back by so many seconds.
    case clockJump(Int64)
    /// Another terminal hangs there now: another serial number, with the same log.
    case serial(String)
    /// So many punches at once, their events sent together.
    case burst(Int)
    /// So many punches more than the log has room for; the oldest records are overwritten.
    case overflow(Int)
    /// From now on the log holds so many records.
    case capacity(Int)
    case rate(Rate)

    // These last.

    /// New TCP connections are refused: nothing listens on the port.
    case refuseConnections
    /// Answers nothing and sends nothing, with the connections open.
    case mute
    /// Every n-th frame has a wrong checksum.
    case wrongChecksum(every: Int)
    /// Everything is sent in pieces of so many bytes.
    case split(Int)
    /// All frames that are ready are sent in one write.
    case coalesce
    /// So long before each write.
    case delay(Duration)
    /// No comm key is the right one.
    case refuseKey
    case oneConnection
    /// The buffered read is refused, as by old terminals.
    case refuseBuffer
    /// The counters tell so many records more than there are.
    case wrongCounters(Int)
    /// The clock gains so many seconds an hour.
    case clockDrift(Int64)

    /// Whether it goes on until it is ended.
    public var lasts: Bool {
        switch self {
        case .drop, .restart, .restartCleared, .clearLog, .clockJump, .serial, .burst, .overflow, .capacity, .rate:
            false
        case .refuseConnections, .mute, .wrongChecksum, .split, .coalesce, .delay, .refuseKey, .oneConnection,
            .refuseBuffer, .wrongCounters, .clockDrift:
            true
        }
    }

    /// The word that it is ordered with.
    public var word: String { String(description.prefix { $0 != " " }) }

    public static let helpText = """
        drop                   close all connections
        restart 5s             off for so long
        restart-cleared 5s     the same, and the log is empty afterwards
        clear-log              empty the log
        clock-jump -1h         put the clock forward or back
        serial TEXT            another terminal with the same log
        burst N                N punches at once
        overflow N             N punches more than there is room for; the oldest records go
        capacity N             the log holds N records
        rate 5/s               punches by themselves
        refuse-connections     listen no longer; open connections stay
        mute                   answer nothing, connections stay open
        wrong-checksum N       damage every N-th frame
        split N                send in pieces of N bytes
        coalesce               send all frames that are ready in one write
        delay 200ms            wait before each write
        refuse-key             no comm key is right
        one-connection         shut a second client out
        refuse-buffer          refuse the buffered read
        wrong-counters N       tell N records more (or -N fewer) than there are
        clock-drift -10s       the clock gains (or loses) so much an hour
        """

    static let words = helpText.split(separator: "\n").map { String($0.prefix { $0 != " " }) }

    /// - Throws: ``ControlLineError`` with a sentence for people.
    public init(parsing text: String) throws(ControlLineError) {
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        guard let word = words.first, words.count <= 2 else {
            throw ControlLineError("a fault is one word with at most one value, for example split 7")
        }
        let value = FaultValue(word: word, text: words.dropFirst().first)
        switch word {
        case "drop": self = .drop
        case "restart": self = .restart(try value.duration(default: .seconds(2)))
        case "restart-cleared": self = .restartCleared(try value.duration(default: .seconds(2)))
        case "clear-log": self = .clearLog
        case "clock-jump": self = .clockJump(try value.signedSeconds())
        case "serial": self = .serial(try value.name())
        case "burst": self = .burst(try value.number(in: 1...ControlLine.largestBurst))
        case "overflow": self = .overflow(try value.number(in: 1...ControlLine.largestBurst))
        case "capacity": self = .capacity(try value.number(in: 1...10_000_000))
        case "rate": self = .rate(try value.rate())
        case "refuse-connections": self = .refuseConnections
        case "mute": self = .mute
        case "wrong-checksum": self = .wrongChecksum(every: try value.number(in: 1...1_000_000, default: 2))
        case "split": self = .split(try value.number(in: 1...65_535))
        case "coalesce": self = .coalesce
        case "delay": self = .delay(try value.duration())
        case "refuse-key": self = .refuseKey
        case "one-connection": self = .oneConnection
        case "refuse-buffer": self = .refuseBuffer
        case "wrong-counters": self = .wrongCounters(try value.number(in: -1_000_000...1_000_000))
        case "clock-drift": self = .clockDrift(try value.signedSeconds())
        default:
            let hint = NearestName.hint(for: word, among: Self.words)
            throw ControlLineError("there is no fault \"\(word.prefix(40))\"" + (hint.map { ": \($0)" } ?? ""))
        }
        if value.isSuperfluous(for: self) { throw ControlLineError("\(word) takes no value") }
    }
}

extension EmulatorFault: CustomStringConvertible {
    /// As ``init(parsing:)`` reads it.
    public var description: String {
        func signed(_ seconds: Int64) -> String { "\(seconds < 0 ? "-" : "")\(seconds.magnitude)s" }
        return switch self {
        case .drop: "drop"
        case .restart(let time): "restart \(DurationText.format(time))"
        case .restartCleared(let time): "restart-cleared \(DurationText.format(time))"
        case .clearLog: "clear-log"
        case .clockJump(let seconds): "clock-jump \(signed(seconds))"
        case .serial(let serial): "serial \(serial)"
        case .burst(let count): "burst \(count)"
        case .overflow(let count): "overflow \(count)"
        case .capacity(let count): "capacity \(count)"
        case .rate(let rate): "rate \(rate)"
        case .refuseConnections: "refuse-connections"
        case .mute: "mute"
        case .wrongChecksum(let every): "wrong-checksum \(every)"
        case .split(let count): "split \(count)"
        case .coalesce: "coalesce"
        case .delay(let time): "delay \(DurationText.format(time))"
        case .refuseKey: "refuse-key"
        case .oneConnection: "one-connection"
        case .refuseBuffer: "refuse-buffer"
        case .wrongCounters(let count): "wrong-counters \(count)"
        case .clockDrift(let seconds): "clock-drift \(signed(seconds))"
        }
    }
}

/// The value after a fault's word.
private struct FaultValue {
    let word: String
    let text: String?

    private func given(_ example: String) throws(ControlLineError) -> String {
        guard let text else { throw ControlLineError("\(word) wants a value, for example \(word) \(example)") }
        return text
    }

    func duration(default fallback: Duration? = nil) throws(ControlLineError) -> Duration {
        if text == nil, let fallback { return fallback }
        let text = try given("200ms")
        guard let duration = DurationText.parse(text), duration <= .seconds(86_400) else {
            throw ControlLineError("\(word) takes a time of at most a day, for example \(word) 200ms")
        }
        return duration
    }

    func signedSeconds() throws(ControlLineError) -> Int64 {
        let text = try given("-1h")
        let isNegative = text.hasPrefix("-")
        let digits = isNegative || text.hasPrefix("+") ? String(text.dropFirst()) : text
        guard let duration = DurationText.parse(digits), duration <= .seconds(3_650 * 86_400) else {
            throw ControlLineError("\(word) takes a time with or without a sign, for example \(word) -1h")
        }
        return isNegative ? -duration.components.seconds : duration.components.seconds
    }

    func number(in range: ClosedRange<Int>, default fallback: Int? = nil) throws(ControlLineError) -> Int {
        if text == nil, let fallback { return fallback }
        guard let number = Int(try given("7")), range.contains(number) else {
            throw ControlLineError("\(word) takes a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func rate() throws(ControlLineError) -> Rate {
        guard let rate = Rate(try given("5/s")) else {
            throw ControlLineError("rate takes for example 5/s, 2/min or 0/s")
        }
        return rate
    }

    func name() throws(ControlLineError) -> String {
        let name = try given("ZKT0000000099")
        guard name.utf8.count <= 40 else { throw ControlLineError("a serial number has at most 40 characters") }
        return name
    }

    func isSuperfluous(for fault: EmulatorFault) -> Bool {
        guard text != nil else { return false }
        switch fault {
        case .drop, .clearLog, .refuseConnections, .mute, .coalesce, .refuseKey, .oneConnection, .refuseBuffer:
            return true
        default: return false
        }
    }
}
