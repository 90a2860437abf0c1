/// Which field of a cron expression, with its range and names.
enum CronField: Sendable {
    case minute, hour, dayOfMonth, month, dayOfWeek

    var range: ClosedRange<Int> {
        switch self {
        case .minute: 0...59
        case .hour: 0...23
        case .dayOfMonth: 1...31
        case .month: 1...12
        case .dayOfWeek: 0...7
        }
    }

    var name: String {
        switch self {
        case .minute: "minute"
        case .hour: "hour"
        case .dayOfMonth: "day of month"
        case .month: "month"
        case .dayOfWeek: "day of week"
        }
    }

    /// Names in the order of their numbers, from the number `firstNamed`.
    private var names: [String] {
        switch self {
        case .month: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        case .dayOfWeek: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
        case .minute, .hour, .dayOfMonth: []
        }
    }

    func number(_ text: Substring) throws(CronSchedule.ParseError) -> Int {
        if let index = names.firstIndex(of: text.lowercased()) { return index + range.lowerBound }
        guard text.utf8.count <= 4, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else {
            throw CronSchedule.ParseError(message: "\(name): '\(text)' is not a number")
        }
        guard range.contains(number) else {
            throw CronSchedule.ParseError(
                message: "\(name): \(number) is outside \(range.lowerBound)…\(range.upperBound)")
        }
        return number
    }
}

/// The numbers that one field of a schedule allows.
struct FieldSet: Sendable, Hashable {
    private var bits: UInt64 = 0
    /// The field is `*`.
    let isUnrestricted: Bool
    /// The field begins with `*`: like cron, such a field of days does not count as a choice of days beside the other one.
    let beginsWithStar: Bool

    init(_ text: Substring, _ field: CronField) throws(CronSchedule.ParseError) {
        isUnrestricted = text == "*"
        beginsWithStar = text.utf8.first == 0x2A
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            try insert(part, field)
        }
    }

    func contains(_ number: Int) -> Bool { (0..<64).contains(number) && bits & (1 << UInt64(number)) != 0 }

    /// How far it is from `number` to the next allowed one, going round after `count - 1`; 1 or more.
    func distance(from number: Int, of count: Int) -> Int {
        (1...max(count, 1)).first { contains((number + $0) % count) } ?? count
    }

    /// The allowed numbers, ascending.
    var values: [Int] { (0..<64).filter { contains($0) } }

    private mutating func insert(_ part: Substring, _ field: CronField) throws(CronSchedule.ParseError) {
        let halves = part.split(separator: "/", omittingEmptySubsequences: false)
        guard let span = halves.first, halves.count <= 2, !span.isEmpty else {
            throw CronSchedule.ParseError(message: "\(field.name): '\(part)' is not a number, a range or a step")
        }
        var step = 1
        if halves.count == 2 {
            guard DecimalText.isDigits(String(halves[1])), let number = Int(halves[1]), (1...59).contains(number) else {
                throw CronSchedule.ParseError(message: "\(field.name): the step '\(halves[1])' is not 1…59")
            }
            step = number
        }
        let range = try Self.range(span, field, isStepped: halves.count == 2)
        for number in stride(from: range.lowerBound, through: range.upperBound, by: step) {
            // Sunday is 0 and 7.
            bits |= 1 << UInt64(field == .dayOfWeek && number == 7 ? 0 : number)
        }
    }

    private static func range(
        _ span: Substring, _ field: CronField, isStepped: Bool
    ) throws(CronSchedule.ParseError) -> ClosedRange<Int> {
        if span == "*" { return field == .dayOfWeek ? 0...6 : field.range }
        let ends = span.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let first = try field.number(ends[0])
        guard ends.count == 2 else { return isStepped ? first...field.range.upperBound : first...first }
        let last = try field.number(ends[1])
        guard first <= last else {
            throw CronSchedule.ParseError(message: "\(field.name): the range '\(span)' runs backwards")
        }
        return first...last
    }
}
