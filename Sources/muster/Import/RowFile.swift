/// A text file of punches with named fields: CSV with a first line of names, or a JSON object a line.
struct RowFile: Sendable {
    enum Format: String, Sendable { case csv, jsonl }

    struct Row: Sendable {
        /// Of its first line, 1 or more.
        let lineNumber: Int
        let row: Result<ImportRow, ImportRow.Problem>
    }

    let rows: [Row]

    init(_ text: String, _ format: Format) {
        switch format {
        case .csv: rows = Self.csv(text)
        case .jsonl: rows = Self.jsonl(text)
        }
    }

    private static func jsonl(_ text: String) -> [Row] {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().compactMap {
            index, line in
            guard line.contains(where: { !$0.isWhitespace }) else { return nil }
            return Row(
                lineNumber: index + 1,
                row: row { () throws(ImportRow.Problem) in
                    guard let fields = ImportRow.members(of: String(line)) else {
                        throw ImportRow.Problem(reason: "is no JSON object")
                    }
                    return try ImportRow(fields)
                })
        }
    }

    private static func csv(_ text: String) -> [Row] {
        var reader = CSVReader(text)
        guard let names = reader.next()?.fields else { return [] }
        var rows: [Row] = []
        while let record = reader.next() {
            if record.fields == [""] { continue }
            rows.append(
                Row(
                    lineNumber: record.lineNumber,
                    row: row { () throws(ImportRow.Problem) in
                        guard record.fields.count == names.count else {
                            throw ImportRow.Problem(
                                reason: "has \(record.fields.count) values, the first line names \(names.count)")
                        }
                        return try ImportRow(
                            Dictionary(zip(names, record.fields), uniquingKeysWith: { first, _ in first }))
                    }))
        }
        return rows
    }

    private static func row(
        _ body: () throws(ImportRow.Problem) -> ImportRow
    ) -> Result<ImportRow, ImportRow.Problem> {
        do throws(ImportRow.Problem) { return .success(try body()) } catch { return .failure(error) }
    }
}

/// Reads comma-separated values as RFC 4180 writes them; a semicolon separates where the first line has no comma.
struct CSVReader {
    struct Record: Sendable, Hashable {
        let fields: [String]
        let lineNumber: Int
    }

    private var rest: Substring.UTF8View.SubSequence
    private var lineNumber = 1
    private let separator: UInt8

    init(_ text: String) {
        let withoutMark = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        rest = withoutMark.utf8[...]
        let first = withoutMark.utf8.prefix { $0 != 0x0A }
        separator = !first.contains(0x2C) && first.contains(0x3B) ? 0x3B : 0x2C
    }

    /// `nil` at the end.
    mutating func next() -> Record? {
        guard !rest.isEmpty else { return nil }
        let start = lineNumber
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        while let byte = rest.popFirst() {
            if byte == 0x0A { lineNumber += 1 }
            switch byte {
            case 0x22 where isQuoted && rest.first == 0x22:
                field.append(0x22)
                rest.removeFirst()
            case 0x22 where isQuoted: isQuoted = false
            case 0x22 where field.isEmpty: isQuoted = true
            case separator where !isQuoted:
                fields.append(String(decoding: field, as: UTF8.self))
                field = []
            case 0x0D where !isQuoted && rest.first == 0x0A: break
            case 0x0A where !isQuoted:
                return Record(fields: fields + [String(decoding: field, as: UTF8.self)], lineNumber: start)
            default: field.append(byte)
            }
        }
        return Record(fields: fields + [String(decoding: field, as: UTF8.self)], lineNumber: start)
    }
}
