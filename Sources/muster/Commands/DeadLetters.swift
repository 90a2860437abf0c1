internal import ArgumentParser
internal import DeviceKit
internal import Journal
internal import MusterHost

struct DeadLetters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deadletters",
        abstract: "Shows, retries or discards punches that a sink refused for good.",
        subcommands: [List.self, Retry.self, Discard.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Shows what sinks refused, the newest first, with the reason and what the terminal sent.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var format: FormatOption
        @Option(help: "Only this sink.")
        var sink: String?
        @Flag(name: .customLong("discarded"), help: "Those that were discarded, too.")
        var includesDiscarded = false
        @Option(help: "At most so many.")
        var limit = 100

        func validate() throws {
            if limit < 1 { throw ValidationError("--limit is 1 or more") }
        }

        func run() async throws {
            try await reporting {
                let configuration = try config.load()
                let sink = try sink.map { try configuration.sink(named: $0) }
                let letters = try await config.reader(configuration)
                    .deadLetters(of: sink?.name, includingDiscarded: includesDiscarded, limit: limit)
                StandardOutput.write(listing(letters).text(format.format))
            }
        }

        private func listing(_ letters: [DeadLetter]) -> Listing {
            var listing = Listing([
                ("position", .init(title: "POSITION", isNumber: true)), ("sink", .init(title: "SINK")),
                ("device", .init(title: "DEVICE")), ("code", .init(title: "CODE")), ("time", .init(title: "TIME")),
                ("state", .init(title: "STATE")), ("attempts", .init(title: "ATTEMPTS", isNumber: true)),
                ("reason", .init(title: "REASON", mayShrink: true)),
            ])
            for letter in letters {
                let punch = letter.punch.punch
                var json = JSONObjectWriter()
                json.member("position", letter.punch.position)
                json.member("sink", letter.sink)
                json.member("state", letter.state.rawValue)
                json.member("attempts", letter.attempts)
                json.member("rejected_at", letter.rejectedAt.description)
                json.member("reason", letter.reason)
                json.member("punch", punch.json)
                listing.add(
                    [
                        String(letter.punch.position), letter.sink, punch.device.name, punch.code,
                        punch.localTime.description, letter.state.rawValue, String(letter.attempts), letter.reason,
                    ], json: json.finish())
            }
            return listing
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry", abstract: "Lets a sink try refused punches once more, after the cause was mended.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var choice: LetterChoice

        func run() async throws {
            try await reporting {
                let orders = try SinkOrders(try config.load(), sink: choice.sink)
                let count = try await orders.retry(choice.positions)
                StandardOutput.write(
                    "\(choice.sink) tries \(count) \(count == 1 ? "punch" : "punches") again\(orders.when)\n")
            }
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "discard",
            abstract: "Marks refused punches as of no use. They stay in the journal and in list --discarded.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var choice: LetterChoice

        func run() async throws {
            try await reporting {
                let orders = try SinkOrders(try config.load(), sink: choice.sink)
                let count = try await orders.discard(choice.positions)
                StandardOutput.write("discarded \(count) \(count == 1 ? "punch" : "punches") of \(choice.sink)\n")
            }
        }
    }
}

/// Which dead letters of which sink.
struct LetterChoice: ParsableArguments {
    @Option(help: "The sink.")
    var sink: String
    @Argument(help: "Positions as list shows them.")
    private var listed: [Int64] = []
    @Flag(name: .customLong("all"), help: "All that are parked.")
    private var isAll = false

    private static let largestCount = 1_000

    /// `nil` for all.
    var positions: [Int64]? { isAll ? nil : listed }

    func validate() throws {
        if listed.isEmpty != isAll { throw ValidationError("name positions, or give --all") }
        if listed.count > Self.largestCount {
            throw ValidationError("at most \(Self.largestCount) positions; or --all")
        }
    }
}

struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Delivers punches to a sink again that it has had.",
        discussion: """
            For a target that lost data or was set up anew. Punches that the target still has are recognised there by the \
            rules of the sink: PostgreSQL keeps one row, a webhook gets the same ids. Times as in muster punches.
            """)

    @OptionGroup var config: ConfigurationOption
    @Option(help: "The sink.")
    var sink: String
    @Option(help: "Only this device; may be given more than once.")
    var device: [String] = []
    @Option(parsing: .unconditional, help: "Punches from this time on.")
    var since: TimeArgument?
    @Option(parsing: .unconditional, help: "Punches before this time.")
    var until: TimeArgument?
    @Flag(name: .customLong("all"), help: "Everything, from the beginning.")
    var isAll = false

    func validate() throws {
        if isAll != (since == nil && until == nil) { throw ValidationError("give --since or --until, or --all") }
    }

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            let orders = try SinkOrders(configuration, sink: sink)
            let devices = try device.map { try configuration.device(named: $0) }
            let zone = (devices.first ?? configuration.devices.first)?.zone ?? .utc
            let now = SystemTime().now()
            let count = try await orders.replay(
                devices.map(\.id.name), since: since?.instant(in: zone, now: now),
                until: until?.instant(in: zone, now: now))
            StandardOutput.write("\(sink) gets \(count) \(count == 1 ? "punch" : "punches") again\(orders.when)\n")
        }
    }
}

/// Orders for a sink: given to the running host, else written into the journal, where the next start finds them.
final class SinkOrders {
    private let configuration: HostConfiguration
    private let sink: HostConfiguration.Sink
    private let directory: DataDirectory
    private var isLeftForTheNextStart = false

    init(_ configuration: HostConfiguration, sink: String) throws {
        self.configuration = configuration
        self.sink = try configuration.sink(named: sink)
        directory = DataDirectory(path: configuration.dataDirectory)
    }

    /// What people should know of the moment.
    var when: String { isLeftForTheNextStart ? " after the next muster run" : "" }

    func retry(_ positions: [Int64]?) async throws -> Int {
        try await order(
            { (host) throws(ControlClient.Failure) in try await host.retry(self.sink.name, positions: positions) },
            { (outbox) throws(JournalError) in try await outbox.retry(self.sink, positions: positions) })
    }

    func discard(_ positions: [Int64]?) async throws -> Int {
        try await order(
            { (host) throws(ControlClient.Failure) in try await host.discard(self.sink.name, positions: positions) },
            { (outbox) throws(JournalError) in try await outbox.discard(self.sink, positions: positions) })
    }

    func replay(_ devices: [String], since: Instant?, until: Instant?) async throws -> Int {
        try await order(
            { (host) throws(ControlClient.Failure) in
                try await host.replay(self.sink.name, devices: devices, since: since, until: until)
            },
            { (outbox) throws(JournalError) in
                try await outbox.replay(self.sink, devices: devices, since: since, until: until)
            })
    }

    private func order(
        _ ask: (ControlClient) async throws(ControlClient.Failure) -> Int,
        _ write: (Outbox) async throws(JournalError) -> Int
    ) async throws -> Int {
        do throws(ControlClient.Failure) {
            return try await ask(ControlClient(directory))
        } catch {
            if case .refused(let reason) = error { throw Failure(Exit.unavailable, reason) }
        }
        guard directory.hasJournal else {
            throw Failure(Exit.unavailable, "there is no journal in \(directory.path) yet")
        }
        isLeftForTheNextStart = true
        return try await write(Outbox(configuration, journal: try PunchJournal(directory)))
    }
}
