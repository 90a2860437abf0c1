import DeviceKit

/// Turns positions into marks with the text of their line.
final class SourceLines {
    /// Longer lines are cut: every node holds the text of its line.
    static let maximumLineLength = 240

    let file: String
    private let bytes: [UInt8]
    private let starts: [UInt32]
    private var texts: [Int: String] = [:]

    init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
        starts = Self.lineStarts(bytes)
    }

    /// - Parameters: counted from 1.
    func mark(line: Int, column: Int) -> SourceMark {
        SourceMark(file: file, line: line, column: column, sourceLine: text(of: line))
    }

    /// The place of a byte.
    func mark(atByte offset: Int) -> SourceMark {
        let held = min(max(offset, 0), bytes.count)
        let following = starts.partitioningIndex { $0 > held }
        let line = max(following, 1)
        let start = min(Int(starts[line - 1]), held)
        let column = String(decoding: bytes[start..<held], as: UTF8.self).unicodeScalars.count + 1
        return mark(line: line, column: column)
    }

    /// The byte that stands at a place, if any.
    func scalar(line: Int, column: Int) -> Unicode.Scalar? {
        let scalars = text(of: line).unicodeScalars
        return column >= 1 ? scalars.dropFirst(column - 1).first : nil
    }

    private func text(of line: Int) -> String {
        guard (1...starts.count).contains(line) else { return "" }
        if let known = texts[line] { return known }
        let start = Int(starts[line - 1])
        let end = line < starts.count ? Int(starts[line]) : bytes.count
        // Four bytes are the most that one character takes.
        let cut = bytes[start..<min(end, start + Self.maximumLineLength * 4)]
        let scalars = String(decoding: cut, as: UTF8.self).unicodeScalars
        let visible = scalars.prefix(Self.maximumLineLength).prefix { !Self.isBreak($0) }
        var text = String.UnicodeScalarView()
        // Anything else that a terminal might obey is shown as a replacement character.
        for scalar in visible { text.append(scalar.value < 0x20 && scalar != "\t" ? "\u{FFFD}" : scalar) }
        texts[line] = String(text)
        return String(text)
    }

    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].contains(scalar)
    }

    /// libyaml ends a line at LF, CR, CRLF, NEL, LS and PS; its line numbers count those.
    private static func lineStarts(_ bytes: [UInt8]) -> [UInt32] {
        var starts: [UInt32] = [0]
        for (index, byte) in bytes.enumerated() {
            let ends: Bool =
                switch byte {
                case 0x0A: true
                case 0x0D: index + 1 >= bytes.count || bytes[index + 1] != 0x0A
                case 0x85: index >= 1 && bytes[index - 1] == 0xC2
                case 0xA8, 0xA9: index >= 2 && bytes[index - 1] == 0x80 && bytes[index - 2] == 0xE2
                default: false
                }
            if ends { starts.append(UInt32(index + 1)) }
        }
        return starts
    }
}

extension [UInt32] {
    /// The first index whose element fulfils `condition`, in an array where all that do come last.
    fileprivate func partitioningIndex(where condition: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if condition(Int(self[middle])) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
