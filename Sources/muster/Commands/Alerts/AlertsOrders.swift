internal import Alerts
internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost

extension AlertsCommand {
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
