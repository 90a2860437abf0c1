internal import ArgumentParser
internal import DeviceKit

/// How a listing is written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json, csv, jsonl
}

struct FormatOption: ParsableArguments {
    @Option(name: .customLong("format"), help: "table, json, csv or jsonl.")
    var format = OutputFormat.table
}

/// A listing in every format: cells for people and spreadsheets, objects for programs.
struct Listing {
    let columns: [Table.Column]
    /// Keys of the columns in CSV.
    let keys: [String]
    private var cells: [[String]] = []
    private var objects: [RawJSON] = []

    init(_ columns: [(key: String, column: Table.Column)]) {
        self.columns = columns.map(\.column)
        keys = columns.map(\.key)
    }

    mutating func add(_ row: [String], json: RawJSON) {
        cells.append(row)
        objects.append(json)
    }

    func text(_ format: OutputFormat) -> String {
        switch format {
        case .table:
            var table = Table(columns)
            for row in cells { table.add(row) }
            return table.text(width: Terminal.width, hasColour: Terminal.hasColour)
        case .json:
            let lines = objects.map { "  " + $0.text }
            return lines.isEmpty ? "[]\n" : "[\n\(lines.joined(separator: ",\n"))\n]\n"
        case .jsonl: return objects.map { $0.text + "\n" }.joined()
        case .csv: return CSV.line(keys) + cells.map(CSV.line).joined()
        }
    }
}

/// Comma-separated values after RFC 4180, safe to open in a spreadsheet.
enum CSV {
    static func line(_ fields: [String]) -> String { fields.map(field).joined(separator: ",") + "\r\n" }

    private static func field(_ text: String) -> String {
        var text = text
        // A spreadsheet would take such a text for a formula.
        if let first = text.utf8.first, [0x3D, 0x2B, 0x2D, 0x40, 0x09, 0x0D].contains(first), Double(text) == nil {
            text = "'" + text
        }
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
