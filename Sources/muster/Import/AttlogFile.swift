internal import DeviceKit

/// The text that terminals write to a USB stick: one punch a line, columns separated by tabs.
///
/// USB layout: user id, time, device number, state, verification, work code. Lines of the push protocol look the same
/// without the device number. Old black-and-white models put the serial number into the first line and a checksum into
/// the last one.
struct AttlogFile: Sendable {
    enum Layout: String, Sendable { case usb, push, unknown }

    struct Record: Sendable, Hashable {
        var lineNumber: Int
        var record: PunchRecord
    }

    struct Unreadable: Sendable, Hashable {
        var number: Int
        var reason: String
    }

    private(set) var records: [Record] = []
    private(set) var unreadable: [Unreadable] = []
    private(set) var layout = Layout.unknown
    /// The serial number that an old model wrote into the first line.
    private(set) var serialNumber: String?

    private struct Line {
        var number: Int
        var columns: [String]
        var text: String
    }

    init(_ bytes: [UInt8]) {
        var lines = Self.lines(bytes)
        // A first and a last line of one column belong to the file, not to a person.
        if let first = lines.first, first.columns.count == 1, lines.count > 1 {
            serialNumber = first.text
            lines.removeFirst()
        }
        if serialNumber != nil, let last = lines.last, last.columns.count == 1 { lines.removeLast() }
        layout = Self.layout(lines)
        for line in lines { read(line) }
    }

    private static func lines(_ bytes: [UInt8]) -> [Line] {
        bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().compactMap { index, raw in
            let kept = raw.last == 0x0D ? raw.dropLast() : raw
            let text = String(decoding: kept, as: UTF8.self)
            guard text.contains(where: { !$0.isWhitespace && $0 != "\0" }) else { return nil }
            let columns = text.split(separator: "\t", omittingEmptySubsequences: false).map { trimmed($0) }
            return Line(number: index + 1, columns: columns, text: trimmed(text[...]))
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// The columns tell the layouts apart. In the USB layout the third column is the device's number, the same in the
    /// whole file, followed by state, verification and work code. In a push log the third column is the state, followed
    /// by verification and work code.
    private static func layout(_ lines: [Line]) -> Layout {
        let sound = lines.filter { $0.columns.count >= 2 && LocalDateTime($0.columns[1]) != nil }
        guard !sound.isEmpty else { return .unknown }
        func values(_ index: Int) -> Set<String> {
            Set(sound.compactMap { $0.columns.indices.contains(index) ? $0.columns[index] : nil })
        }
        let (third, fourth, fifth) = (values(2), values(3), values(4))
        let states: Set<String> = ["0", "1", "2", "3", "4", "5", "255"]
        guard third.isSubset(of: states), !fourth.isSubset(of: ["0", "255"]) else { return .usb }
        if third.count > 1 { return .push }
        // A device may have the number 0; then the verification stands in the fifth column.
        return (third == ["0"] || third == ["255"]) && fifth.isSubset(of: ["", "0"]) ? .push : .usb
    }

    private mutating func read(_ line: Line) {
        guard line.columns.count >= 2, !line.columns[0].isEmpty else {
            unreadable.append(Unreadable(number: line.number, reason: "no user id and time: \(line.text.prefix(80))"))
            return
        }
        guard let time = LocalDateTime(line.columns[1]) else {
            unreadable.append(
                Unreadable(number: line.number, reason: "'\(line.columns[1].prefix(40))' is no date and time"))
            return
        }
        let rest = Array(line.columns.dropFirst(layout == .usb ? 3 : 2))
        func number(_ index: Int) -> Int? { rest.indices.contains(index) ? Int(rest[index]) : nil }
        var raw = JSONObjectWriter()
        raw.member("attlog", line.text)
        raw.member("line", line.number)
        let work = rest.indices.contains(2) && rest[2] != "0" && !rest[2].isEmpty ? rest[2] : nil
        records.append(
            Record(
                lineNumber: line.number,
                record: PunchRecord(
                    code: line.columns[0], localTime: time, direction: AttlogCodes.direction(number(0)),
                    verification: AttlogCodes.verification(number(1)), workCode: work, raw: raw.finish())))
    }
}

/// The numbers of the file. They are those of the terminals that write it.
enum AttlogCodes {
    static func direction(_ number: Int?) -> Direction {
        let kinds: [Int: Direction.Kind] = [
            0: .in, 1: .out, 2: .breakOut, 3: .breakIn, 4: .overtimeIn, 5: .overtimeOut,
        ]
        return Direction(number.flatMap { kinds[$0] } ?? .unknown, raw: number ?? 255)
    }

    static func verification(_ number: Int?) -> Verification {
        let kinds: [Int: Verification.Kind] = [
            0: .password, 1: .fingerprint, 2: .card, 3: .password, 4: .card, 15: .face, 25: .palm,
        ]
        return Verification(number.flatMap { kinds[$0] } ?? .unknown, raw: number ?? 0)
    }
}
