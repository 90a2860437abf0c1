/// Where something stands in a file. Lines and columns count from 1; a column counts Unicode scalars.
public struct SourceMark: Sendable, Hashable {
    /// The file as the user named it.
    public let file: String
    /// 0 when the whole file is meant.
    public let line: Int
    public let column: Int
    /// The text of the line, cut where it is very long, without its line break.
    public let sourceLine: String

    public init(file: String, line: Int, column: Int, sourceLine: String) {
        self.file = file
        self.line = line
        self.column = column
        self.sourceLine = sourceLine
    }

    /// The whole of a file.
    public init(file: String) { self.init(file: file, line: 0, column: 0, sourceLine: "") }

    /// The same place with everything from `column` on hidden: the line holds a secret there.
    package func masked(from column: Int) -> SourceMark {
        let visible = String(String.UnicodeScalarView(sourceLine.unicodeScalars.prefix(max(column - 1, 0))))
        return SourceMark(file: file, line: line, column: self.column, sourceLine: visible + "********")
    }

    /// The line and a caret under the column; empty when there is nothing to show.
    var excerpt: [String] {
        let scalars = sourceLine.unicodeScalars
        guard line > 0, column > 0, !scalars.isEmpty, column <= scalars.count + 1 else { return [] }
        var indent = String.UnicodeScalarView()
        for scalar in scalars.prefix(column - 1) { indent.append(scalar == "\t" ? "\t" : " ") }
        return [sourceLine, String(indent) + "^"]
    }
}

extension SourceMark: CustomStringConvertible {
    /// `office.yaml:14:11`, or the file alone.
    public var description: String { line > 0 ? "\(file):\(line):\(column)" : file }
}
