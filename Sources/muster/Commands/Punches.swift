internal import ArgumentParser
internal import DeviceKit
internal import Journal
internal import MusterHost

struct Punches: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "punches", abstract: "Shows punches from the journal, oldest first.",
        discussion: """
            Without --since and --follow it shows the newest ones, as many as --limit says. Times: an RFC 3339 instant, \
            2026-11-24, "2026-11-24 08:00", today, yesterday, -2h.
            """)

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var format: FormatOption
    @Option(help: "Only this device.")
    var device: String?
    @Option(help: "Only this person's user id.")
    var code: String?
    // The next word is the value even when it begins with a dash: -2h.
    @Option(parsing: .unconditional, help: "From this time on.")
    var since: TimeArgument?
    @Option(parsing: .unconditional, help: "Before this time.")
    var until: TimeArgument?
    @Option(help: "At most so many; 20 unless --since is given.")
    var limit: Int?
    @Option(
        help: ArgumentHelp(
            "Shows directions as a policy would deliver them: \(Self.policyNames).", valueName: "policy"),
        transform: Self.policy)
    var policy: DirectionPolicy?
    @Flag(help: "Go on with new punches as they come, until interrupted.")
    var follow = false

    /// How often a followed journal is looked at.
    private static let interval = Duration.milliseconds(200)

    func validate() throws {
        if let limit, limit < 0 { throw ValidationError("--limit is zero or more") }
    }

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            let reader = try config.reader(configuration)
            let filter = try filter(configuration)
            var output = PunchWriter(format.format)
            let preview = policy.map { DirectionRules(configuration.devices, policy: $0) }
            let last = try await newest(reader, filter, preview, &output)
            guard follow else { return StandardOutput.write(output.end()) }
            try await follow(reader, filter, after: last, preview, &output)
        }
    }

    private func filter(_ configuration: HostConfiguration) throws -> JournalReader.Filter {
        let device = try device.map { try configuration.device(named: $0) }
        let zone = device?.zone ?? configuration.devices.first?.zone ?? .utc
        let now = SystemTime().now()
        return JournalReader.Filter(
            device: device?.id, code: code, since: since?.instant(in: zone, now: now),
            until: until?.instant(in: zone, now: now))
    }

    /// Writes what there is and returns the position after it.
    private func newest(
        _ reader: JournalReader, _ filter: JournalReader.Filter, _ preview: DirectionRules?,
        _ output: inout PunchWriter
    ) async throws -> Int64 {
        let latest = try await reader.latestPosition()
        var filter = filter
        let count = limit ?? (since == nil ? (follow ? 0 : 20) : Int.max)
        guard count > 0 else { return latest }
        if count < Int.max {
            // The newest ones, shown in the order in which they came.
            guard let first = try await reader.punches(filter, order: .newestFirst, limit: count).last else {
                return latest
            }
            filter.afterPosition = first.position - 1
        }
        var position: Int64 = filter.afterPosition ?? 0
        while true {
            filter.afterPosition = position
            let page = try await reader.punches(filter, limit: 1_000)
            guard let end = page.last else { return max(latest, position) }
            StandardOutput.write(output.page(try await shown(page, preview, reader)))
            position = end.position
        }
    }

    private func follow(
        _ reader: JournalReader, _ filter: JournalReader.Filter, after position: Int64, _ preview: DirectionRules?,
        _ output: inout PunchWriter
    ) async throws {
        var filter = filter
        filter.afterPosition = position
        while !Task.isCancelled {
            let page = try await reader.punches(filter, limit: 1_000)
            if let end = page.last {
                StandardOutput.write(output.page(try await shown(page, preview, reader)))
                filter.afterPosition = end.position
            } else {
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    private func shown(
        _ page: [JournaledPunch], _ preview: DirectionRules?, _ reader: JournalReader
    ) async throws -> [Punch] {
        guard let preview else { return page.map(\.punch) }
        return try await preview.apply(to: page, reader: reader).map(\.punch)
    }

    private static let policyNames = DirectionPolicy.allCases.map(\.rawValue).joined(separator: ", ")

    private static func policy(_ text: String) throws -> DirectionPolicy {
        guard let policy = DirectionPolicy(rawValue: text) else {
            throw ValidationError("there is no policy '\(text)'; there are \(policyNames)")
        }
        return policy
    }
}
