/// Rows under headings, fitted to the terminal.
struct Table {
    struct Column {
        var title: String
        /// Which columns give way first when the terminal is narrow: those that are wide and may shrink.
        var mayShrink = false
        var isNumber = false
    }

    let columns: [Column]
    private(set) var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// One cell for each column.
    mutating func add(_ row: [String]) { rows.append(row.map(PlainText.escaped)) }

    /// - Parameter width: columns of the terminal; `nil` cuts nothing.
    func text(width: Int?, hasColour: Bool) -> String {
        let widths = fitted(to: width)
        var lines = [line(columns.map(\.title), widths, bold: hasColour)]
        for row in rows { lines.append(line(row, widths, bold: false)) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func fitted(to width: Int?) -> [Int] {
        var widths = columns.indices.map { index in
            ([columns[index].title] + rows.map { $0[index] }).map(PlainText.width).max() ?? 0
        }
        guard let width else { return widths }
        let gaps = 2 * (columns.count - 1)
        while widths.reduce(0, +) + gaps > width {
            let candidates = columns.indices.filter { columns[$0].mayShrink && widths[$0] > 8 }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
        }
        return widths
    }

    private func line(_ cells: [String], _ widths: [Int], bold: Bool) -> String {
        let padded = zip(zip(cells, widths), columns).map { cell, column in
            let text = PlainText.cut(cell.0, to: cell.1)
            let space = String(repeating: " ", count: max(0, cell.1 - PlainText.width(text)))
            return column.isNumber ? space + text : text + space
        }
        var text = padded.joined(separator: "  ")
        while text.last == " " { text.removeLast() }
        return bold ? "\u{1B}[1m\(text)\u{1B}[0m" : text
    }
}
