public import DeviceKit

/// Many terminals in one process: alike, each with a serial number, people, a past and an address of its own.
public struct EmulatorFleet: Sendable {
    /// Where the second terminal and those after it are reached.
    public enum Spread: Sendable, Hashable {
        /// At the same address, on the next ports.
        case ports
        /// On the same port, at the next addresses: 127.0.1.1, 127.0.1.2, …
        case addresses
    }

    /// In the order of their numbers, which begin with 1.
    public let servers: [EmulatorServer]

    public static let largestCount = 5_000
    /// In a path of the options: the terminal's number.
    public static let numberMark = "{n}"

    /// Prepares the terminals and opens their ports.
    /// - Throws: ``EmulatorError`` as ``EmulatorServer/bind(_:time:)``, and for a count, an address or a port that does
    ///   not work out.
    public static func bind(
        _ options: EmulatorOptions, count: Int, spread: Spread = .ports, time: any TimeSource = SystemTime()
    ) async throws(EmulatorError) -> EmulatorFleet {
        guard (1...largestCount).contains(count) else {
            throw EmulatorError("the number of terminals is 1 to \(largestCount), not \(count)")
        }
        var servers: [EmulatorServer] = []
        for index in 0..<count {
            servers.append(try await EmulatorServer.bind(try options.numbered(index, spread), time: time))
        }
        return EmulatorFleet(servers: servers)
    }

    /// Serves until the task is cancelled, ``stop()`` is called, or a terminal fails.
    public func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for server in servers { group.addTask { try await server.run() } }
        }
    }

    public func stop() async {
        for server in servers { await server.stop() }
    }

    /// Does what a line says at every terminal, or at one: `@7 punch 1001`. Answers carry the terminal's number.
    public func control(_ line: String) async -> String {
        guard let (number, order) = Self.addressee(line) else {
            return "write @NUMBER and what to do, with a number from 1 to \(servers.count)"
        }
        if let number {
            guard servers.indices.contains(number - 1) else { return "there is no terminal \(number)" }
            return await servers[number - 1].control(order)
        }
        guard servers.count > 1 else { return await servers[0].control(order) }
        var answers: [String] = []
        for (index, server) in servers.enumerated() {
            let answer = await server.control(order)
            // A sentence about the line itself is the same for all.
            if order.hasPrefix("help") { return answer }
            if !answer.isEmpty { answers.append("\(index + 1): \(answer)") }
        }
        return answers.joined(separator: "\n")
    }

    /// `nil` for an address that cannot be read; a number of `nil` means all.
    static func addressee(_ line: String) -> (number: Int?, order: String)? {
        guard line.hasPrefix("@") else { return (nil, line) }
        let words = line.dropFirst().split(maxSplits: 1, whereSeparator: \.isWhitespace)
        guard let first = words.first, let number = Int(first) else { return nil }
        return (number, words.count > 1 ? String(words[1]) : "")
    }
}

extension EmulatorOptions {
    /// The options of the terminal `index`, counted from 0.
    func numbered(_ index: Int, _ spread: EmulatorFleet.Spread) throws(EmulatorError) -> EmulatorOptions {
        var options = self
        options.truthPath = truthPath?.replacing(EmulatorFleet.numberMark, with: String(index + 1))
        guard index > 0 else { return options }
        options.seed = seed &+ UInt64(index)
        options.serialNumber = Self.counted(serialNumber, by: index)
        options.mac = Self.hardwareAddress(index)
        switch spread {
        case .ports:
            guard port == 0 || port + index <= 65_535 else {
                throw EmulatorError("\(index + 1) terminals from port \(port) on go beyond port 65535")
            }
            options.port = port == 0 ? 0 : port + index
        case .addresses:
            guard let address = Self.address(host, after: index) else {
                throw EmulatorError("\(host) is no IPv4 address that \(index) others follow")
            }
            options.host = address
        }
        return options
    }

    /// `ZKT0000000001` and 3 give `ZKT0000000004`. A text without digits at its end gets some.
    static func counted(_ serial: String, by count: Int) -> String {
        let digits = String(serial.reversed().prefix { $0.isASCII && $0.isNumber }.reversed()).suffix(15)
        let number = String((Int(digits) ?? 0) + count)
        let padding = String(repeating: "0", count: max(0, digits.count - number.count))
        return serial.dropLast(digits.count) + padding + number
    }

    private static func hardwareAddress(_ index: Int) -> String {
        let parts = [(index + 1) >> 16 & 0xFF, (index + 1) >> 8 & 0xFF, (index + 1) & 0xFF].map { part in
            let text = String(part, radix: 16)
            return text.count < 2 ? "0\(text)" : text
        }
        return "00:17:61:" + parts.joined(separator: ":")
    }

    /// The IPv4 address that comes `count` after another; addresses that end in 0 or 255 are passed over.
    static func address(_ text: String, after count: Int) -> String? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        guard parts.count == 4 else { return nil }
        var number = parts.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        var left = count
        while left > 0 {
            number += 1
            guard number <= UInt64(UInt32.max) else { return nil }
            if (1...254).contains(number & 0xFF) { left -= 1 }
        }
        return [24, 16, 8, 0].map { String(number >> UInt64($0) & 0xFF) }.joined(separator: ".")
    }
}
