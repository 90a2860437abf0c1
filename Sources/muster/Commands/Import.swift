internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost
internal import Postgres

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Takes punches from a file or from another system's PostgreSQL table into the journal.",
        discussion: """
            FILE is an attlog.dat of a terminal's USB stick, CSV with a first line of names, or JSON lines; the last two \
            as muster punches writes them, or with columns such as user_id, timestamp, punch, device. \
            Importing twice adds nothing. Stop the host first: it owns the journal.

            With --postgres rows are read in the order of their id, and an import that was interrupted goes on where it \
            was. The password is better given in PGPASSWORD or ~/.pgpass than on the command line.
            """)

    enum Source: String, ExpressibleByArgument, CaseIterable { case attlog, csv, jsonl }

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var format: FormatOption
    @Argument(help: "The file, for example 1_attlog.dat.")
    var file: String?
    @Option(help: "What the file is: attlog, csv or jsonl; by its name where it is not given.")
    var from: Source?
    @Option(help: "A PostgreSQL address to read a table from, for example postgresql://reader@db.example.com/hr.")
    var postgres: String?
    @Option(help: "That table, for example attendance_attendancerecord.")
    var table: String?
    @Option(help: "The device that all punches belong to.")
    var device: String?
    @Option(help: "OLD=NEW: what the source calls OLD, its name, serial number or id, is our device NEW.")
    var map: [String] = []
    @Flag(
        name: .customLong("from-start"),
        help: "Read the table from its first row, not from where the last import ended.")
    var isFromStart = false
    @Flag(name: .customLong("dry-run"), help: "Count what would be taken and change nothing.")
    var isDryRun = false

    func validate() throws {
        if (file == nil) == (postgres == nil) { throw ValidationError("name a file, or give --postgres and --table") }
        if (postgres == nil) != (table == nil) { throw ValidationError("--postgres and --table belong together") }
        if isFromStart, postgres == nil { throw ValidationError("--from-start is for --postgres") }
    }

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            let mapping = try DeviceMapping(configuration, only: device, pairs: map)
            let target = try PunchImport(
                into: DataDirectory(path: configuration.dataDirectory), isDryRun: isDryRun)
            let work = ImportWork(target, mapping)
            if let file {
                try await work.read(file: file, source(of: file))
            } else if let postgres, let table {
                try await work.read(postgres, table: table, isFromStart: isFromStart)
            }
            StandardOutput.write(listing(work).text(format.format))
            for sentence in work.problems { StandardError.write(PlainText.escaped(sentence) + "\n") }
            if work.unmapped > 0 { throw Exit.usage }
        }
    }

    private func source(of file: String) -> Source {
        if let from { return from }
        let name = file.lowercased()
        if name.hasSuffix(".csv") { return .csv }
        return name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") ? .jsonl : .attlog
    }

    private func listing(_ work: ImportWork) -> Listing {
        let outcome = work.target.outcome
        let counts: [(key: StaticString, title: String, count: Int)] = [
            ("lines", "LINES", work.lines), ("new", "NEW", outcome.new), ("known", "KNOWN", outcome.known),
            ("implausible", "IMPLAUSIBLE", outcome.implausible), ("unreadable", "UNREADABLE", work.unreadable),
            ("unmapped", "UNMAPPED", work.unmapped),
        ]
        var listing = Listing(
            [("source", .init(title: "SOURCE")), ("layout", .init(title: "LAYOUT"))]
                + counts.map { ("\($0.key)", .init(title: $0.title, isNumber: true)) })
        var json = JSONObjectWriter()
        json.member("source", file ?? table ?? "")
        json.member("layout", work.layout)
        for (key, _, count) in counts { json.member(key, count) }
        json.member("dry_run", isDryRun)
        listing.add([file ?? table ?? "", work.layout] + counts.map { String($0.count) }, json: json.finish())
        return listing
    }
}
