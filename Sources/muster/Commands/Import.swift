internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes an attlog.dat of a terminal's USB stick into the journal.",
        discussion: "Importing a file twice adds nothing. Stop the host first: it owns the journal.")

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var format: FormatOption
    @Argument(help: "The file, for example 1_attlog.dat.")
    var file: String
    @Option(help: "The device that the punches belong to.")
    var device: String
    @Flag(name: .customLong("dry-run"), help: "Count what would be taken and change nothing.")
    var isDryRun = false

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            let device = try configuration.device(named: device)
            guard let data = FileManager.default.contents(atPath: file) else {
                throw Failure(Exit.unavailable, "cannot read \(file)")
            }
            let parsed = AttlogFile(Array(data))
            guard parsed.layout != .unknown else {
                throw Failure(
                    Exit.usage, "\(file) is no attlog.dat: no line has a user id and a time separated by a tab")
            }
            let outcome = try await PunchImport(device: device, records: parsed.records.map(\.record))
                .run(into: DataDirectory(path: configuration.dataDirectory), isDryRun: isDryRun)
            StandardOutput.write(listing(outcome, parsed).text(format.format))
            for line in parsed.unreadable.prefix(10) {
                StandardError.write("\(file):\(line.number): not read: \(PlainText.escaped(line.reason))\n")
            }
        }
    }

    private func listing(_ outcome: PunchImport.Outcome, _ file: AttlogFile) -> Listing {
        var listing = Listing([
            ("device", .init(title: "DEVICE")), ("layout", .init(title: "LAYOUT")),
            ("lines", .init(title: "LINES", isNumber: true)), ("new", .init(title: "NEW", isNumber: true)),
            ("known", .init(title: "KNOWN", isNumber: true)),
            ("implausible", .init(title: "IMPLAUSIBLE", isNumber: true)),
            ("unreadable", .init(title: "UNREADABLE", isNumber: true)),
        ])
        let counts = [
            file.records.count + file.unreadable.count, outcome.new, outcome.known, outcome.implausible,
            file.unreadable.count,
        ]
        var json = JSONObjectWriter()
        json.member("device", device)
        json.member("layout", file.layout.rawValue)
        json.member("lines", counts[0])
        json.member("new", counts[1])
        json.member("known", counts[2])
        json.member("implausible", counts[3])
        json.member("unreadable", counts[4])
        json.member("dry_run", isDryRun)
        listing.add([device, file.layout.rawValue] + counts.map { String($0) }, json: json.finish())
        return listing
    }
}
