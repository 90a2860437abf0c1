internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import MusterHost

struct DeviceOplog: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "oplog", abstract: "Shows what was done at the device itself: menus, settings, alarms.")

    @OptionGroup var common: DeviceCommonOptions
    @Option(help: "At most so many, the newest ones.")
    var limit: Int?

    func validate() throws {
        if let limit, limit < 0 { throw ValidationError("--limit is zero or more") }
    }

    func run(on target: DeviceTarget) async throws {
        guard case .operations(let log) = try await target.ask(.operations) else { return }
        var listing = Listing([
            ("local_time", .init(title: "TIME")), ("operation", .init(title: "OPERATION", mayShrink: true)),
            ("number", .init(title: "NUMBER", isNumber: true)), ("by", .init(title: "BY", isNumber: true)),
            ("parameters", .init(title: "PARAMETERS")),
        ])
        for entry in log.entries.suffix(limit ?? log.entries.count) {
            listing.add(
                [
                    entry.localTime.description, entry.name ?? "not known", String(entry.number),
                    String(entry.administrator), entry.parameters.map { String($0) }.joined(separator: " "),
                ], json: RawJSON(trusted: Self.json(entry).text()))
        }
        StandardOutput.write(listing.text(target.format))
        for rejected in log.rejected {
            StandardError.write("not shown: \(PlainText.escaped(rejected.reason)): \(HexDump.hex(rejected.bytes))\n")
        }
    }
}

extension DeviceOplog {
    static func json(_ entry: OperationEntry) -> JSONNode {
        .object([
            "local_time": .string(entry.localTime.description), "number": .integer(entry.number),
            "operation": entry.name.map { .string($0) } ?? .null, "administrator": .integer(entry.administrator),
            "parameters": .array(entry.parameters.map { .integer($0) }), "raw": .string(HexDump.hex(entry.raw)),
        ])
    }
}

struct DeviceClearOplog: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "clear-oplog", abstract: "Clears the device's operation log, once a file has all of it.",
        discussion: """
            Only where the device's settings say clear_log: true. The log is saved into a new file that only you can read; \
            then it is read again, and cleared if it is still the one that was saved.
            """)

    @OptionGroup var common: DeviceCommonOptions
    @Argument(help: "The file to make.")
    var file: String

    func run(on target: DeviceTarget) async throws {
        try target.confirm("clear the operation log of \(target.device.id), once \(file) has all of it")
        guard case .information(let information) = try await target.ask(.information),
            case .operations(let log) = try await target.ask(.operations)
        else { return }
        let content = JSONNode.object([
            "device": .string(target.device.id.name),
            "serial_number": information.details.identity.serialNumber.map { .string($0) } ?? .null,
            "operations": .array(log.entries.map(DeviceOplog.json)),
            "not_decoded": .array(log.rejected.map { .string(HexDump.hex($0.bytes)) }),
        ])
        try PrivateFile.create(file, Data((content.text() + "\n").utf8))
        do {
            _ = try await target.ask(.clearOperations(log.mark))
        } catch let failure as Failure {
            throw Failure(failure.code, "\(failure.message) (what was read is in \(file))")
        }
        target.report(
            "cleared \(log.mark.count) operations of \(target.device.id), saved to \(file)",
            ["operations": .integer(log.mark.count), "file": .string(file)])
    }
}

struct DeviceClearLog: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "clear-log", abstract: "Clears the device's log, once the journal has all of it.",
        discussion: """
            Only where the device's settings say clear_log: true. The log is read to its end; then nobody can punch for a \
            moment, the rest is read, the device's count is compared with what was read, and only then the log is cleared.
            """)

    @OptionGroup var common: DeviceCommonOptions

    func run(on target: DeviceTarget) async throws {
        try target.confirm("clear the log of \(target.device.id), once the journal has all of it")
        guard case .cleared(let log) = try await target.ask(.clearLog) else { return }
        target.report(
            "cleared \(log.records) records of \(target.device.id), all of them in the journal, \(log.new) of them new",
            ["records": .integer(log.records), "new": .integer(log.new)])
    }
}
