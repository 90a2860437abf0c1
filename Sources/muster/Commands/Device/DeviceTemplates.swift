internal import ArgumentParser
internal import DeviceKit
internal import MusterHost

struct DeviceTemplates: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "templates", abstract: "Lists, saves, restores and removes fingerprint templates.",
        discussion: """
            Only where the device's settings say credentials: true. Templates load into devices with the same version of \
            the algorithm; they identify people for life: keep the file safe, and remove it after use.
            """,
        subcommands: [List.self, Save.self, Restore.self, Delete.self], defaultSubcommand: List.self)

    struct List: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists whose fingers are enrolled.")

        @OptionGroup var common: DeviceCommonOptions
        @Option(help: "Only of this person.")
        var code: String?

        func run(on target: DeviceTarget) async throws {
            guard case .templates(let templates) = try await target.ask(.readTemplates(code)) else { return }
            var listing = Listing([
                ("code", .init(title: "CODE")), ("finger", .init(title: "FINGER", isNumber: true)),
                ("validity", .init(title: "VALIDITY")), ("algorithm", .init(title: "ALGORITHM")),
                ("bytes", .init(title: "BYTES", isNumber: true)),
            ])
            for template in templates {
                let json = JSONNode.object([
                    "code": .string(template.code), "finger": .integer(template.finger),
                    "validity": .string(template.validity.rawValue),
                    "algorithm": template.algorithm.map { .string($0) } ?? .null,
                    "bytes": .integer(template.byteCount),
                ])
                listing.add(
                    [
                        template.code, String(template.finger), template.validity.rawValue, template.algorithm ?? "",
                        String(template.byteCount),
                    ], json: RawJSON(trusted: json.text()))
            }
            StandardOutput.write(listing.text(target.format))
        }
    }

    struct Save: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "save", abstract: "Saves templates into a new file that only you can read.")

        @OptionGroup var common: DeviceCommonOptions
        @Argument(help: "The file to make.")
        var file: String
        @Option(help: "Only of this person.")
        var code: String?

        func run(on target: DeviceTarget) async throws {
            guard case .information(let information) = try await target.ask(.information),
                case .templates(let templates) = try await target.ask(.readTemplates(code))
            else { return }
            let content = TemplateFile(
                templates, device: target.device.id.name, serialNumber: information.details.identity.serialNumber)
            try content.write(to: file)
            target.report(
                "saved \(templates.count) templates of \(target.device.id) to \(file)",
                ["templates": .integer(templates.count), "file": .string(file)])
        }
    }

    struct Restore: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "restore",
            abstract: "Writes templates of a file to the device, for people who are enrolled there.")

        @OptionGroup var common: DeviceCommonOptions
        @Argument(help: "The file that save made.")
        var file: String
        @Option(help: "Only of this person.")
        var code: String?

        /// What is sent in one go: people are written one by one anyway, and the socket of the host takes so much.
        private static let portionByteCount = 96 * 1_024

        func run(on target: DeviceTarget) async throws {
            let templates = try TemplateFile.read(file).all.filter { code == nil || $0.code == code }
            guard !templates.isEmpty else { throw Failure(Exit.usage, "there are no such templates in \(file)") }
            try target.confirm("write \(templates.count) templates to \(target.device.id)")
            var done = 0
            for portion in Self.portions(templates) {
                do {
                    _ = try await target.ask(.saveTemplates(portion))
                } catch let failure as Failure where done > 0 {
                    throw Failure(failure.code, "\(failure.message) (\(done) templates were written before)")
                }
                done += portion.count
            }
            target.report(
                "wrote \(done) templates to \(target.device.id)", ["templates": .integer(done)])
        }

        private static func portions(_ templates: [Template]) -> [[Template]] {
            var portions: [[Template]] = []
            var size = 0
            for template in templates.sorted(by: { ($0.code, $0.finger) < ($1.code, $1.finger) }) {
                if portions.isEmpty || size + template.byteCount > portionByteCount {
                    portions.append([])
                    size = 0
                }
                portions[portions.count - 1].append(template)
                size += template.byteCount
            }
            return portions
        }
    }

    struct Delete: DeviceVerb {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Removes templates of a person.")

        @OptionGroup var common: DeviceCommonOptions
        @Argument(help: "The user id.")
        var code: String
        @Option(help: "0 to 9; all of them if not given.")
        var finger: Int?

        func run(on target: DeviceTarget) async throws {
            let what = finger.map { "finger \($0)" } ?? "all fingers"
            try target.confirm("remove \(what) of \(code) from \(target.device.id)")
            guard case .removed(let count) = try await target.ask(.deleteTemplates(code: code, finger: finger)) else {
                return
            }
            target.report(
                "removed \(count) \(count == 1 ? "template" : "templates") of \(code) from \(target.device.id)",
                ["removed": .integer(count)])
        }
    }
}

struct DeviceEnrol: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "enrol", abstract: "Lets the device ask somebody for a finger.",
        discussion: "The person puts the finger on the sensor as often as the device asks. Ctrl-C gives up.")

    @OptionGroup var common: DeviceCommonOptions
    @Argument(help: "The user id of somebody on the device.")
    var code: String
    @Option(help: "0 to 9, from the left little finger to the right one.")
    var finger = 6
    @Flag(help: "This finger raises the alarm silently.")
    var duress = false

    func run(on target: DeviceTarget) async throws {
        try target.confirm("enrol finger \(finger) of \(code) on \(target.device.id)")
        let request = EnrolmentRequest(code: code, finger: finger, isDuress: duress)
        let answer = try await target.ask(.enrol(request)) { event in
            StandardError.write(Self.sentence(event) + "\n")
        }
        guard case .done(let note) = answer else { return }
        target.report("enrolled finger \(finger) of \(code) on \(target.device.id)", note: note)
    }

    private static func sentence(_ event: EnrolmentEvent) -> String {
        switch event {
        case .waiting: "waiting for the finger"
        case .placed: "the finger is on the sensor"
        case .sample(true): "a good sample"
        case .sample(false): "not read well: once more"
        }
    }
}
