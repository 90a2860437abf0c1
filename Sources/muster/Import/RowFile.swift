/// A text file of punches with named fields: CSV with a first line of names, or a JSON object a line. Its rows are read as
/// they are asked for.
struct RowFile: Sequence, IteratorProtocol, Sendable {
    enum Format: String, Sendable { case csv, jsonl }

    struct Row: Sendable {
        /// Of its first line, 1 or more.
        let lineNumber: Int
        let row: Result<ImportRow, ImportRow.Problem>
    }

    private enum Rest: Sendable {
        case csv(CSVReader, names: [String])
        case jsonl(Substring, lineNumber: Int)
        case end
    }

    private var rest: Rest

    init(_ text: String, _ format: Format) {
        switch format {
        case .csv:
            var reader = CSVReader(text)
            rest = reader.next().map { .csv(reader, names: $0.fields) } ?? .end
        case .jsonl: rest = .jsonl(text[...], lineNumber: 1)
        }
    }

    mutating func next() -> Row? {
        switch rest {
        case .csv(var reader, let names):
            // Taken out, so that the reader is not copied.
            rest = .end
            defer { rest = .csv(reader, names: names) }
            while let record = reader.next() {
                guard record.fields != [""] else { continue }
                return Row(lineNumber: record.lineNumber, row: Self.row(record.fields, names))
            }
            return nil
        case .jsonl(var text, var lineNumber):
            while !text.isEmpty {
                let line = text.prefix { !$0.isNewline }
                text = text[line.endIndex...].dropFirst()
                defer { lineNumber += 1 }
                guard line.contains(where: { !$0.isWhitespace }) else { continue }
                rest = .jsonl(text, lineNumber: lineNumber + 1)
                return Row(lineNumber: lineNumber, row: Self.row(line))
            }
            rest = .end
            return nil
        case .end: return nil
        }
    }

    private static func row(_ line: Substring) -> Result<ImportRow, ImportRow.Problem> {
        row { () throws(ImportRow.Problem) in
            guard let fields = ImportRow.members(of: String(line)) else {
                throw ImportRow.Problem(reason: "is no JSON object")
            }
            return try ImportRow(fields)
        }
    }

    private static func row(_ values: [String], _ names: [String]) -> Result<ImportRow, ImportRow.Problem> {
        row { () throws(ImportRow.Problem) in
            guard values.count == names.count else {
                throw ImportRow.Problem(reason: "has \(values.count) values, the first line names \(names.count)")
            }
            return try ImportRow(Dictionary(zip(names, values), uniquingKeysWith: { first, _ in first }))
        }
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
