internal import Alerts
internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import Logging
internal import MusterHost

struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "Shows what is wrong and who was told; tests channels; acknowledges and silences.",
        subcommands: [List.self, Channels.self, Test.self, Acknowledge.self, Silence.self, Unsilence.self],
        defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Shows open incidents, the newest last; with --history those that ended, the newest first.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var format: FormatOption
        @Flag(name: .customLong("history"), help: "Incidents that ended.")
        var isHistory = false
        @Flag(name: .customLong("silences"), help: "Silences instead of incidents.")
        var areSilences = false
        @Option(help: "At most so many that ended.")
        var limit = 50

        func validate() throws {
            if !(1...1_000).contains(limit) { throw ValidationError("--limit is 1 to 1000") }
        }

        func run() async throws {
            try await reporting {
                let configuration = try config.load()
                let archive = try await AlertArchive(config.reader(configuration), history: limit)
                if areSilences {
                    StandardOutput.write(SilenceListing(configuration).listing(archive.silences).text(format.format))
                    return
                }
                let incidents = isHistory ? archive.ended : archive.open
                let listing = IncidentListing(configuration).listing(incidents)
                if format.format == .table, incidents.isEmpty {
                    StandardOutput.write(isHistory ? "No incident has ended yet.\n" : "All is well.\n")
                    return
                }
                StandardOutput.write(listing.text(format.format))
            }
        }
    }

    struct Channels: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "channels", abstract: "Shows the channels and how they do.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var format: FormatOption

        func run() async throws {
            try await reporting {
                let configuration = try config.load()
                let archive = try await AlertArchive(config.reader(configuration), history: 1)
                var listing = Listing([
                    ("channel", .init(title: "CHANNEL")), ("type", .init(title: "TYPE")),
                    ("sent", .init(title: "SENT", isNumber: true)),
                    ("waiting", .init(title: "WAITING", isNumber: true)),
                    ("last_sent", .init(title: "LAST SENT")), ("note", .init(title: "NOTE", mayShrink: true)),
                ])
                for channel in configuration.alerts.effectiveChannels {
                    let record = archive.channels[channel.plan.name] ?? ChannelRecord()
                    let note = record.failingSince.map { "failing since \($0): \(record.lastError ?? "")" } ?? ""
                    var json = JSONObjectWriter()
                    json.member("channel", channel.plan.name)
                    json.member("type", channel.registration.manifest.id)
                    json.member("sent", record.sentCount)
                    json.member("waiting", record.waitingCount)
                    json.member("last_sent", record.lastSentAt?.description)
                    json.member("failing_since", record.failingSince?.description)
                    json.member("last_error", record.lastError)
                    listing.add(
                        [
                            channel.plan.name, channel.registration.manifest.id, String(record.sentCount),
                            String(record.waitingCount),
                            record.lastSentAt.map { channel.plan.zone.localTime(at: $0).description } ?? "", note,
                        ], json: json.finish())
                }
                StandardOutput.write(listing.text(format.format))
            }
        }
    }

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test", abstract: "Sends a test message through a channel and tells what became of it.",
            discussion: "Needs no running host. Exits with 75 when it may work later, with 69 when it cannot.")

        @Argument(help: "The channel, as it is called in the configuration.")
        var channel: String
        @OptionGroup var config: ConfigurationOption
        @OptionGroup var log: LogOption

        func run() async throws {
            try await reporting {
                let loaded = try config.loadWhole()
                let configuration = loaded.configuration
                guard let found = configuration.alerts[channel: channel] else {
                    let known = configuration.alerts.effectiveChannels.map(\.plan.name).joined(separator: ", ")
                    throw Failure(Exit.usage, "there is no channel \(channel). Configured: \(known)")
                }
                let start = ContinuousClock.now
                do throws(ChannelFault) {
                    let remark = try await AlertConfiguration.test(
                        found, of: configuration, log: log.process(loaded).logger)
                    let took = (ContinuousClock.now - start).wholeMilliseconds
                    StandardOutput.write("\(channel) took the test message (\(took) ms)\n")
                    if let remark { StandardError.write("warning: \(remark)\n") }
                } catch {
                    throw Failure(
                        error.kind == .permanent ? Exit.unavailable : Exit.tryAgain,
                        "\(channel) did not take the test message: \(loaded.redactor(error.message))")
                }
            }
        }
    }

    struct Acknowledge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ack", abstract: "Says that somebody looks after an incident: it is not told again.",
            discussion: "Its end is told, and when it becomes critical.")

        @Argument(help: "The incident's number.")
        var incident: Int64
        @OptionGroup var config: ConfigurationOption
        @OptionGroup var person: PersonOption

        func run() async throws {
            try await reporting {
                let when = try await AlertOrders(try config.load()).carryOut(
                    .acknowledge(incident, by: person.name)
                ).when
                StandardOutput.write("incident \(incident) is looked after by \(person.name)\(when)\n")
            }
        }
    }

    struct Silence: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "silence", abstract: "Keeps alerts from being told for a while, for example during works.",
            discussion: "What is silenced is still collected and still listed once the silence is over.")

        @OptionGroup var config: ConfigurationOption
        @OptionGroup var person: PersonOption
        @Option(help: "Only this rule, for example clock.drift.")
        var rule: String?
        @Option(help: "Only this device.")
        var device: String?
        @Option(help: "Only this site and its devices.")
        var site: String?
        @Option(help: "Only this sink.")
        var sink: String?
        @Flag(name: .customLong("all"), help: "Everything.")
        var isAll = false
        @Option(name: .customLong("for"), help: "How long, for example 2h.")
        var duration: DurationArgument
        @Option(help: "Why, for whoever reads the list.")
        var why = ""

        func validate() throws {
            if [device, site, sink].compactMap({ $0 }).count > 1 {
                throw ValidationError("name one of --device, --site and --sink")
            }
            if isAll != (rule == nil && device == nil && site == nil && sink == nil) {
                throw ValidationError("name --rule, --device, --site or --sink, or give --all")
            }
            if let rule, AlertRule(rawValue: rule) == nil {
                let known = AlertRule.allCases.map(\.rawValue).sorted().joined(separator: ", ")
                throw ValidationError("there is no rule \(rule). Known: \(known)")
            }
            if duration.duration < .seconds(1) { throw ValidationError("--for is 1s or more") }
        }

        func run() async throws {
            try await reporting {
                let configuration = try config.load()
                let done = try await AlertOrders(configuration).carryOut(
                    .silence(
                        rule.flatMap { AlertRule(rawValue: $0) }, try subject(configuration), for: duration.duration,
                        by: person.name, why: why))
                StandardOutput.write(
                    "silence \(done.number) for \(DurationText.format(duration.duration))\(done.when)\n")
            }
        }

        private func subject(_ configuration: HostConfiguration) throws -> AlertSubject? {
            if let device { return .device(try configuration.device(named: device).id.name) }
            if let sink { return .sink(try configuration.sink(named: sink).name) }
            guard let site else { return nil }
            let known = Set(configuration.devices.compactMap(\.alertSite)).sorted()
            guard known.contains(site) else {
                throw Failure(Exit.usage, "there is no site \(site). Known: \(known.joined(separator: ", "))")
            }
            return .site(site)
        }
    }

    struct Unsilence: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unsilence", abstract: "Ends a silence before its time.")

        @Argument(help: "The silence's number, as muster alerts --silences shows it.")
        var silence: Int64
        @OptionGroup var config: ConfigurationOption
        @OptionGroup var person: PersonOption

        func run() async throws {
            try await reporting {
                let when = try await AlertOrders(try config.load()).carryOut(
                    .endSilence(silence, by: person.name)
                ).when
                StandardOutput.write("silence \(silence) is over\(when)\n")
            }
        }
    }
}

/// Who gives an order.
struct PersonOption: ParsableArguments {
    @Option(name: .customLong("by"), help: "Your name; that of your account unless given.")
    private var given: String?

    var name: String { given ?? ProcessInfo.processInfo.environment["USER"] ?? "somebody" }
}

/// Orders for the alerts: given to the running host, else written into the journal, where the next start finds them.
struct AlertOrders {
    private let configuration: HostConfiguration
    private let directory: DataDirectory

    struct Done {
        let number: Int64
        /// What people should know of the moment.
        let when: String
    }

    init(_ configuration: HostConfiguration) {
        self.configuration = configuration
        directory = DataDirectory(path: configuration.dataDirectory)
    }

    func carryOut(_ order: AlertOrder) async throws -> Done {
        do throws(ControlClient.Failure) {
            return Done(number: try await ControlClient(directory).carryOut(order), when: "")
        } catch {
            if case .refused(let reason) = error { throw Failure(Exit.unavailable, reason) }
        }
        guard directory.hasJournal else {
            throw Failure(Exit.unavailable, "there is no journal in \(directory.path) yet")
        }
        let result = try await AlertArchive.carryOut(order, configuration, journal: PunchJournal(directory))
        switch result {
        case .success(let number): return Done(number: number, when: " after the next muster run")
        case .failure(let refusal): throw Failure(Exit.unavailable, refusal.message)
        }
    }
}

/// Incidents for people and programs.
struct IncidentListing {
    private let configuration: HostConfiguration

    init(_ configuration: HostConfiguration) { self.configuration = configuration }

    func listing(_ incidents: [Incident]) -> Listing {
        var listing = Listing([
            ("incident", .init(title: "INCIDENT", isNumber: true)), ("severity", .init(title: "SEVERITY")),
            ("since", .init(title: "SINCE")), ("until", .init(title: "UNTIL")), ("site", .init(title: "SITE")),
            ("cause", .init(title: "CAUSE")), ("subjects", .init(title: "SUBJECTS", isNumber: true)),
            ("told", .init(title: "TOLD")), ("note", .init(title: "NOTE", mayShrink: true)),
        ])
        for incident in incidents { listing.add(cells(incident), json: json(incident)) }
        return listing
    }

    private func cells(_ incident: Incident) -> [String] {
        let zone = zone(incident)
        let subjects = incident.members.filter { $0.key.rule != .siteLink }
        let open = subjects.filter { !$0.isOver }
        var notes = subjects.prefix(3).map(\.key.subject.name).filter { !$0.isEmpty }
        if subjects.count > notes.count, !notes.isEmpty { notes.append("…") }
        var note = notes.joined(separator: ", ")
        if let acknowledgement = incident.acknowledgement { note = "looked after by \(acknowledgement.by); \(note)" }
        if incident.isClosed, incident.recovered > 0 { note = "\(incident.recovered) punches recovered; \(note)" }
        let count =
            incident.isClosed || open.count == subjects.count ? "\(subjects.count)" : "\(open.count)/\(subjects.count)"
        return [
            String(incident.id), incident.severity.rawValue, zone.localTime(at: incident.since).description,
            end(incident).map { zone.localTime(at: $0).description } ?? "", incident.group.site ?? "",
            incident.group.cause, count, incident.receivers.joined(separator: ","), note,
        ]
    }

    private func json(_ incident: Incident) -> RawJSON {
        var json = JSONObjectWriter()
        json.member("incident", incident.id)
        json.member("severity", incident.severity.rawValue)
        json.member(
            "state", incident.isClosed ? "resolved" : incident.acknowledgement == nil ? "firing" : "acknowledged")
        json.member("site", incident.group.site)
        json.member("cause", incident.group.cause)
        json.member("since", incident.since.description)
        json.member("until", end(incident)?.description)
        json.member("told_at", incident.toldAt?.description)
        json.member("told", array(incident.receivers.map { .string($0) }))
        json.member("acknowledged_by", incident.acknowledgement?.by)
        json.member("acknowledged_at", incident.acknowledgement?.at.description)
        json.member("recovered_punches", incident.recovered)
        json.member("alerts", array(incident.members.map(member)))
        json.member("deliveries", array(incident.deliveries.map(delivery)))
        return json.finish()
    }

    private func member(_ member: Incident.Member) -> JSONNode {
        .object([
            "rule": .string(member.key.rule.rawValue), "kind": .string(member.key.subject.kind.rawValue),
            "subject": .string(member.key.subject.name), "severity": .string(member.severity.rawValue),
            "detail": .string(member.detail), "since": .string(member.since.description),
            "resolved_at": member.resolvedAt.map { .string($0.description) } ?? .null,
            "unstable": .bool(member.isUnstable), "recovered_punches": .integer(member.recovered),
        ])
    }

    private func delivery(_ delivery: Incident.Delivery) -> JSONNode {
        .object([
            "at": .string(delivery.at.description), "channel": .string(delivery.channel),
            "kind": .string(delivery.kind.rawValue), "error": delivery.error.map { .string($0) } ?? .null,
        ])
    }

    private func array(_ nodes: [JSONNode]) -> RawJSON { RawJSON(trusted: JSONNode.array(nodes).text()) }

    private func end(_ incident: Incident) -> Instant? {
        incident.isClosed ? incident.members.compactMap(\.resolvedAt).max() : nil
    }

    private func zone(_ incident: Incident) -> DeviceTimeZone {
        let name = incident.members.first { $0.key.subject.kind == .device }?.key.subject.name
        let device = name.flatMap { DeviceID($0) }.flatMap { configuration[device: $0] }
        return (device ?? configuration.devices.first)?.zone ?? .utc
    }
}

/// Silences for people and programs.
struct SilenceListing {
    private let zone: DeviceTimeZone

    init(_ configuration: HostConfiguration) { zone = configuration.devices.first?.zone ?? .utc }

    func listing(_ silences: [Alerts.Silence]) -> Listing {
        var listing = Listing([
            ("silence", .init(title: "SILENCE", isNumber: true)), ("rule", .init(title: "RULE")),
            ("subject", .init(title: "SUBJECT")), ("until", .init(title: "UNTIL")), ("by", .init(title: "BY")),
            ("why", .init(title: "WHY", mayShrink: true)),
        ])
        for silence in silences {
            let subject = silence.subject.map { "\($0.kind.rawValue) \($0.name)" }
            var json = JSONObjectWriter()
            json.member("silence", silence.id)
            json.member("rule", silence.rule?.rawValue)
            json.member("kind", silence.subject?.kind.rawValue)
            json.member("subject", silence.subject?.name)
            json.member("until", silence.until.description)
            json.member("by", silence.by)
            json.member("why", silence.why)
            listing.add(
                [
                    String(silence.id), silence.rule?.rawValue ?? "all", subject ?? "everything",
                    zone.localTime(at: silence.until).description, silence.by, silence.why,
                ], json: json.finish())
        }
        return listing
    }
}
