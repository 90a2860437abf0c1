public import ArgumentParser
public import DeviceKit
internal import Foundation
internal import MusterHost

struct DevicePeople: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "people", abstract: "Lists who is enrolled, or adds, changes and removes somebody.",
        subcommands: [List.self, Put.self, Delete.self, Enable.self, Disable.self], defaultSubcommand: List.self)

    struct List: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists who is enrolled. Shows no passwords.")

        @OptionGroup var common: DeviceCommonOptions

        func run(on target: DeviceTarget) async throws {
            guard case .people(let people) = try await target.ask(.people) else { return }
            var listing = Listing([
                ("code", .init(title: "CODE")), ("name", .init(title: "NAME", mayShrink: true)),
                ("privilege", .init(title: "PRIVILEGE")), ("enabled", .init(title: "ENABLED")),
                ("card", .init(title: "CARD")), ("group", .init(title: "GROUP", isNumber: true)),
            ])
            for person in people {
                let json = JSONNode.object([
                    "code": .string(person.code), "name": .string(person.name),
                    "privilege": .string(person.privilege.rawValue), "enabled": .bool(person.isEnabled),
                    "card": person.card.map { .string($0) } ?? .null,
                    "group": person.group.map { .integer($0) } ?? .null,
                ])
                listing.add(
                    [
                        person.code, person.name, person.privilege.rawValue, person.isEnabled ? "yes" : "no",
                        person.card ?? "", person.group.map { String($0) } ?? "",
                    ], json: RawJSON(trusted: json.text()))
            }
            StandardOutput.write(listing.text(target.format))
        }
    }

    struct Put: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "put", abstract: "Adds somebody, or changes who has this code.",
            discussion: "What is not named stays as it is. Nobody else is touched.")

        @OptionGroup var common: DeviceCommonOptions
        @Argument(help: "The user id that punches carry.")
        var code: String
        @Option(help: "The name, as long as the device has room for.")
        var name: String?
        @Option(help: "user, enroller, manager or administrator.")
        var privilege: Person.Privilege?
        @Option(help: "The card's number.")
        var card: String?
        @Flag(name: .customLong("no-card"), help: "Take the card away.")
        var removesCard = false
        @Option(
            name: .customLong("password-from"),
            help: "A file whose first line is the password; - is standard input. It never stands on the command line.")
        var passwordFile: String?
        @Flag(name: .customLong("no-password"), help: "Take the password away.")
        var removesPassword = false
        @Option(help: "The access group.")
        var group: Int?

        func validate() throws {
            if card != nil, removesCard { throw ValidationError("--card and --no-card exclude each other") }
            if passwordFile != nil, removesPassword {
                throw ValidationError("--password-from and --no-password exclude each other")
            }
        }

        func run(on target: DeviceTarget) async throws {
            var change = PersonChange(code: code, name: name, privilege: privilege, group: group)
            change.card = removesCard ? .remove : card.map { .set($0) }
            change.password = removesPassword ? .remove : try passwordFile.map { .set(try Self.password($0)) }
            try target.confirm("add or change the person \(code) on \(target.device.id)")
            guard case .person(let outcome) = try await target.ask(.putPerson(change)) else { return }
            target.report(
                "\(outcome.rawValue) \(code) on \(target.device.id)", ["outcome": .string(outcome.rawValue)])
        }

        private static func password(_ path: String) throws -> Secret {
            let text: String
            if path == "-" {
                text = readLine() ?? ""
            } else {
                guard let data = FileManager.default.contents(atPath: path), data.count <= 4_096,
                    let whole = String(data: data, encoding: .utf8)
                else { throw Failure(Exit.ioError, "cannot read a password from \(path)") }
                text = whole.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            }
            guard !text.isEmpty else {
                throw Failure(Exit.usage, "there is no password in \(path): --no-password takes one away")
            }
            return Secret(text)
        }
    }

    struct Delete: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Removes somebody with their templates. Punches stay.")

        @OptionGroup var common: DeviceCommonOptions
        @Argument(help: "The user id.")
        var code: String

        func run(on target: DeviceTarget) async throws {
            try target.confirm("remove the person \(code) and their templates from \(target.device.id)")
            _ = try await target.ask(.deletePerson(code))
            target.report("removed \(code) from \(target.device.id)")
        }
    }

    struct Enable: DeviceVerb {
        static let configuration = CommandConfiguration(commandName: "enable", abstract: "Lets somebody punch again.")

        @OptionGroup var common: DeviceCommonOptions
        @Argument(help: "The user id.")
        var code: String

        func run(on target: DeviceTarget) async throws { try await DevicePeople.set(code, isEnabled: true, target) }
    }

    struct Disable: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "disable", abstract: "Keeps somebody from punching, and keeps the person.")

        @OptionGroup var common: DeviceCommonOptions
        @Argument(help: "The user id.")
        var code: String

        func run(on target: DeviceTarget) async throws { try await DevicePeople.set(code, isEnabled: false, target) }
    }

    private static func set(_ code: String, isEnabled: Bool, _ target: DeviceTarget) async throws {
        let verb = isEnabled ? "enable" : "disable"
        try target.confirm("\(verb) the person \(code) on \(target.device.id)")
        guard case .people(let people) = try await target.ask(.people) else { return }
        guard people.contains(where: { $0.code == code }) else {
            throw Failure(Exit.usage, "\(target.device.id): nobody has the code \(code)")
        }
        _ = try await target.ask(.putPerson(PersonChange(code: code, isEnabled: isEnabled)))
        target.report("\(verb)d \(code) on \(target.device.id)", ["enabled": .bool(isEnabled)])
    }
}

extension Person.Privilege: ExpressibleByArgument {}
