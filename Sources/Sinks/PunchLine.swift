public import DeviceKit

/// A punch as one line of a text file.
public enum PunchLine {
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// One JSON object a line, with the keys of ``DeviceKit/Punch/json``.
        case jsonl
        /// Comma-separated values with the same names in a first line.
        case csv
    }

    /// What a file of a format begins with, with its line break; empty where there is no first line.
    public static func header(_ format: Format) -> [UInt8] {
        switch format {
        case .jsonl: []
        case .csv: Array((csvColumns.joined(separator: ",") + "\n").utf8)
        }
    }

    /// The line of a punch with its line break. A line break inside a value becomes a space, so that a line is a punch.
    public static func bytes(_ punch: Punch, _ format: Format) -> [UInt8] {
        var line: [UInt8]
        switch format {
        case .jsonl: line = Array(punch.json.text.utf8)
        case .csv: line = Array(csvFields(punch).map(\.text).joined(separator: ",").utf8)
        }
        for index in line.indices where line[index] == 0x0A || line[index] == 0x0D { line[index] = 0x20 }
        line.append(0x0A)
        return line
    }

    /// The beginning of a line that names its punch: device, code and time. The rest may differ when a punch comes again: its
    /// direction, where a policy decides it.
    static func identity(_ line: some Collection<UInt8>, _ format: Format) -> [UInt8] {
        switch format {
        case .jsonl:
            // Inside a value its quotes would be escaped.
            let end = line.firstRange(of: Array(#","local_time":"#.utf8))?.lowerBound ?? line.endIndex
            return Array(line[..<end])
        case .csv:
            var commas = 0
            var isQuoted = false
            let end = line.firstIndex { byte in
                if byte == 0x22 { isQuoted.toggle() }
                if byte == 0x2C, !isQuoted { commas += 1 }
                return commas == 3
            }
            return Array(line[..<(end ?? line.endIndex)])
        }
    }

    private static let csvColumns = [
        "device", "code", "time", "local_time", "direction", "direction_raw", "verification", "verification_raw",
        "work_code", "source", "received_at", "is_valid", "notes", "raw",
    ]

    private static func csvFields(_ punch: Punch) -> [CSVField] {
        let record = punch.record
        return [
            .text(punch.device.name), .text(record.code), .plain(punch.time.description),
            .plain(record.localTime.iso8601), .plain(record.direction.kind.rawValue),
            .plain(String(record.direction.raw)), .plain(record.verification.kind.rawValue),
            .plain(String(record.verification.raw)), .text(record.workCode ?? ""), .plain(punch.source.rawValue),
            .plain(punch.receivedAt.description), .plain(punch.isValid ? "true" : "false"), .text(punch.notes),
            .text(record.raw.text),
        ]
    }
}

/// One value of a CSV line.
public enum CSVField: Sendable, Hashable {
    /// A number, a date or a word of ours.
    case plain(String)
    /// Text that people or devices wrote.
    case text(String)

    /// The value as it stands between two commas, as RFC 4180 quotes it.
    ///
    /// A text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage
    /// return) gets an apostrophe in front.
    public var text: String {
        switch self {
        case .plain(let value): Self.quoted(value)
        case .text(let value): Self.quoted(Self.isFormula(value) ? "'" + value : value)
        }
    }

    private static func isFormula(_ value: String) -> Bool {
        switch value.utf8.first {
        case 0x3D, 0x2B, 0x2D, 0x40, 0x09, 0x0D: true
        default: false
        }
    }

    private static func quoted(_ value: String) -> String {
        let needsQuotes = value.utf8.contains { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
        return needsQuotes ? "\"" + value.replacing("\"", with: "\"\"") + "\"" : value
    }
}
