internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost
internal import Postgres

/// One import: reads a source, maps its devices, and hands punches to the journal in batches.
final class ImportWork {
    let target: PunchImport
    private let mapping: DeviceMapping

    private(set) var layout = ""
    private(set) var lines = 0
    private(set) var unreadable = 0
    /// Rows of devices that nothing is known of; they are not taken.
    private(set) var unmapped = 0
    private var unmappedDevices: [String: Int] = [:]
    private var firstProblems: [String] = []

    private static let batchCount = 1_000
    private static let pageCount = 5_000
    private static let shownProblemCount = 10
    /// A file is held in memory.
    private static let largestFile = 1 << 30

    init(_ target: PunchImport, _ mapping: DeviceMapping) {
        self.target = target
        self.mapping = mapping
    }

    /// Sentences for people: what was not read, and which devices nobody knows.
    var problems: [String] {
        firstProblems
            + unmappedDevices.sorted { $0.key < $1.key }.map { name, count in
                name.isEmpty
                    ? "\(count) punches name no device: give --device"
                    : "\(count) punches of '\(name)': no device has this name; give --map '\(name)'=DEVICE and import again"
            }
    }

    func read(file: String, _ source: Import.Source) async throws {
        let size = (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
        guard size <= Self.largestFile else {
            throw Failure(
                Exit.usage,
                "\(file) is larger than \(Self.largestFile >> 20) MiB: divide it")
        }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(Exit.unavailable, "cannot read \(file)")
        }
        switch source {
        case .attlog: try await readAttlog(Array(data), file)
        case .csv, .jsonl:
            layout = source.rawValue
            let rows = RowFile(String(decoding: data, as: UTF8.self), source == .csv ? .csv : .jsonl)
            let progress = ProgressLine(file)
            defer { progress.clear() }
            try await take(rows) {
                ("\(file):\($0.lineNumber)", $0.row, { [$0] })
            } progress: {
                progress.show(PollProgress(read: self.lines))
            }
        }
    }

    private func readAttlog(_ bytes: [UInt8], _ file: String) async throws {
        let parsed = AttlogFile(bytes)
        guard parsed.layout != .unknown else {
            throw Failure(
                Exit.usage, "\(file) is no attlog.dat: no line has a user id and a time separated by a tab")
        }
        layout = parsed.layout.rawValue
        lines = parsed.records.count + parsed.unreadable.count
        for line in parsed.unreadable { note(line.reason, at: "\(file):\(line.number)") }
        guard let device = mapping.device(parsed.serialNumber.map { [$0] } ?? []) else {
            throw Failure(Exit.usage, "an attlog.dat does not name its device: give --device")
        }
        let items = parsed.records.map { PunchImport.Item(device: device, record: $0.record) }
        for start in stride(from: 0, to: items.count, by: Self.batchCount) {
            try await target.add(Array(items[start..<min(start + Self.batchCount, items.count)]))
        }
    }

    func read(_ url: String, table: String, isFromStart: Bool) async throws {
        layout = "postgres"
        do {
            let source = try AttendanceTable(url, table: table)
            let key = "postgres \(await source.origin)"
            var place = isFromStart ? nil : try await target.place(of: key)
            if let place { StandardError.write("going on after the row with id \(place)\n") }
            let total = try await source.count()
            let progress = ProgressLine(table)
            defer { progress.clear() }
            while !Task.isCancelled {
                let page = try await source.page(after: place, limit: Self.pageCount)
                guard let last = page.place else { break }
                var names: [String: [String]] = [:]
                for row in page.rows {
                    guard case .success(let row) = row.row, let device = row.device, names[device] == nil else {
                        continue
                    }
                    names[device] = await source.names(of: device)
                }
                let before = unmapped
                try await take(page.rows, place: (key, last)) { row in
                    ("\(table) id \(row.id)", row.row, { names[$0] ?? [$0] })
                } isWhole: {
                    // What nobody could map is to come again.
                    self.unmapped == before && before == 0
                }
                place = last
                progress.show(PollProgress(read: lines, total: total))
            }
            await source.close()
        } catch let error as PostgresError {
            throw Failure(Exit.unavailable, "the database: \(error.message)")
        }
    }

    private func take<Rows: Sequence>(
        _ rows: Rows, place: (source: String, place: String)? = nil,
        _ read: (Rows.Element) -> (
            place: String, row: Result<ImportRow, ImportRow.Problem>, names: (String) -> [String]
        ),
        isWhole: () -> Bool = { true }, progress: () -> Void = {}
    ) async throws {
        var items: [PunchImport.Item] = []
        for row in rows {
            lines += 1
            if lines.isMultiple(of: Self.pageCount) { progress() }
            let (origin, result, names) = read(row)
            switch result {
            case .failure(let problem): note(problem.reason, at: origin)
            case .success(let row):
                guard let device = mapping.device(row.device.map(names) ?? []) else {
                    unmapped += 1
                    unmappedDevices[row.device.map { names($0).last ?? $0 } ?? "", default: 0] += 1
                    continue
                }
                items.append(row.item(of: device))
            }
            if items.count == Self.batchCount {
                try await target.add(items)
                items = []
            }
        }
        try await target.add(items, place: isWhole() ? place : nil)
    }

    private func note(_ reason: String, at place: String) {
        unreadable += 1
        if firstProblems.count < Self.shownProblemCount { firstProblems.append("\(place): not read: \(reason)") }
    }
}

extension ImportRow {
    func item(of device: HostConfiguration.Device) -> PunchImport.Item {
        let local = localTime ?? time.map { device.zone.localTime(at: $0) } ?? .earliest
        return PunchImport.Item(
            device: device,
            record: PunchRecord(
                code: code, localTime: local, direction: direction, verification: verification, workCode: workCode,
                raw: raw),
            time: time, isInvalid: isInvalid, notes: notes)
    }
}
