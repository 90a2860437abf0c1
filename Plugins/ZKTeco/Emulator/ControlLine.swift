public import DeviceKit

/// One line that a person or a test types to a running emulator.
public enum ControlLine: Sendable, Hashable {
    /// Somebody punches; `nil` is a random person.
    case punch(code: String?)
    /// Many punches at once, their events sent together without waiting for acknowledgements.
    case burst(Int)
    /// Closes all connections.
    case drop
    /// Answers nothing and sends nothing, with the connections open.
    case mute(Bool)
    case rate(Rate)
    /// Reports the number of records and the live-event counters.
    case records
    /// Reports how many clients are connected, and how many have been since the start.
    case connections
    /// Something goes wrong, for so long or until it is ended.
    case fault(EmulatorFault, Duration?)
    /// Faults of a kind end; all that last for `nil`.
    case end(String?)
    /// Nothing more goes wrong by the script.
    case stopScript
    case help
    case quit

    public static let helpText = """
        punch CODE     the person with this code punches now; Enter alone: a random person
        burst N        N punches at once, events sent together
        drop           close all connections
        mute on|off    stop answering, connections stay open
        rate N/s       new punches by themselves (N/min, N/h; 0/s stops)
        records        how many records, and how many live events were sent and acknowledged
        connections    how many clients are connected, and how many have been
        script off     nothing more goes wrong by the script
        quit           the end

        Faults; those that last take "for 20s", and go on otherwise until "end" or "end WORD":

        """ + EmulatorFault.helpText

    /// The most punches of one burst.
    public static let largestBurst = 100_000

    /// - Throws: ``ControlLineError`` with a sentence for the person at the keyboard.
    public init(parsing line: String) throws(ControlLineError) {
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        let argument = words.dropFirst().first
        switch (words.first, argument) {
        case (nil, _): self = .punch(code: nil)
        case ("punch", _): self = .punch(code: argument)
        case ("burst", let text?):
            guard let count = Int(text), (1...Self.largestBurst).contains(count) else {
                throw ControlLineError("burst takes a number from 1 to \(Self.largestBurst)")
            }
            self = .burst(count)
        case ("drop", _): self = .drop
        case ("mute", "on"): self = .mute(true)
        case ("mute", "off"): self = .mute(false)
        case ("rate", let text?):
            guard let rate = Rate(text) else { throw ControlLineError("rate takes for example 5/s, 2/min or 0/s") }
            self = .rate(rate)
        case ("records", _): self = .records
        case ("connections", _): self = .connections
        case ("help", _): self = .help
        case ("quit", _), ("exit", _): self = .quit
        case ("script", "off"): self = .stopScript
        case ("end", let word): self = .end(word)
        case (let word?, _):
            guard EmulatorFault.words.contains(word) else {
                throw ControlLineError("cannot do \"\(word)\" here; type help")
            }
            self = try Self.fault(words)
        }
    }

    private static func fault(_ words: [String]) throws(ControlLineError) -> ControlLine {
        guard let place = words.firstIndex(of: "for") else {
            return .fault(try EmulatorFault(parsing: words.joined(separator: " ")), nil)
        }
        let fault = try EmulatorFault(parsing: words[..<place].joined(separator: " "))
        guard fault.lasts else { throw ControlLineError("\(fault.word) happens at once, without for") }
        guard words.count == place + 2, let lasting = DurationText.parse(words[place + 1]) else {
            throw ControlLineError("for takes a time, for example for 20s")
        }
        return .fault(fault, lasting)
    }
}

/// Why a control line was not understood.
public struct ControlLineError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
