internal import DeviceKit

/// Punches, a page at a time, in every format.
struct PunchWriter: Sendable {
    let format: OutputFormat
    private var isFirst = true
    private let width: Int?
    private let hasColour: Bool

    private static let keys = [
        "device", "code", "time", "local_time", "direction", "verification", "work_code", "source", "received_at",
        "is_valid", "notes",
    ]

    init(_ format: OutputFormat) {
        self.format = format
        width = Terminal.width
        hasColour = Terminal.hasColour
    }

    /// The text of the next page; the first one brings the heading.
    mutating func page(_ punches: [Punch]) -> String {
        defer { isFirst = isFirst && punches.isEmpty }
        switch format {
        case .table: return table(punches)
        case .jsonl: return punches.map { $0.json.text + "\n" }.joined()
        case .csv: return (isFirst ? CSV.line(Self.keys) : "") + punches.map { CSV.line(Self.fields($0)) }.joined()
        case .json:
            guard !punches.isEmpty else { return "" }
            return (isFirst ? "[\n  " : ",\n  ") + punches.map(\.json.text).joined(separator: ",\n  ")
        }
    }

    /// What has to follow the last page.
    func end() -> String {
        guard format == .json else { return "" }
        return isFirst ? "[]\n" : "\n]\n"
    }

    private func table(_ punches: [Punch]) -> String {
        var lines = punches.map(line)
        if isFirst, !punches.isEmpty {
            let heading = Self.columns("TIME", "DEVICE", "CODE", "DIRECTION", "VERIFICATION", "SOURCE")
            lines.insert(hasColour ? "\u{1B}[1m\(heading)\u{1B}[0m" : heading, at: 0)
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func line(_ punch: Punch) -> String {
        let text =
            Self.columns(
                punch.localTime.description, punch.device.name, punch.code, punch.record.direction.kind.rawValue,
                punch.record.verification.kind.rawValue, punch.source.rawValue)
            + (punch.isValid ? "" : "  invalid: \(PlainText.escaped(punch.notes))")
        return width.map { PlainText.cut(text, to: $0) } ?? text
    }

    /// Fixed widths, because the next page is not known yet.
    private static func columns(_ cells: String...) -> String {
        let widths = [19, 16, 10, 11, 12, 7]
        let padded = zip(cells, widths).map { cell, width in
            let text = PlainText.escaped(cell)
            return text + String(repeating: " ", count: max(0, width - PlainText.width(text)))
        }
        var text = padded.joined(separator: "  ")
        while text.last == " " { text.removeLast() }
        return text
    }

    private static func fields(_ punch: Punch) -> [String] {
        [
            punch.device.name, punch.code, punch.time.description, punch.localTime.iso8601,
            punch.record.direction.kind.rawValue, punch.record.verification.kind.rawValue,
            punch.record.workCode ?? "", punch.source.rawValue, punch.receivedAt.description,
            punch.isValid ? "true" : "false", punch.notes,
        ]
    }
}
