import DeviceKit
import Testing

@testable import Sinks

@Suite("Attendances from punches")
struct OdooDayTests {
    private let rule = OdooDay.Rule(dayBegins: 4 * 3_600, repeatSeconds: 120)

    /// `i08:00`, `o17:30`, `u12:00`; `+` before the letter is the next day.
    private func punches(_ text: String) throws -> [OdooLedger.Punch] {
        try text.split(separator: " ").map { word in
            let days = word.prefix { $0 == "+" }.count
            let rest = word.drop { $0 == "+" }
            let numbers = rest.dropFirst().split(separator: ":").compactMap { Int64($0) }
            let kind: OdooLedger.Kind = try #require(["i": .in, "o": .out, "u": .unknown][rest.prefix(1)])
            let time = Int64(days) * 86_400 + numbers[0] * 3_600 + numbers[1] * 60
            return OdooLedger.Punch(time: time, wall: time, kind: kind)
        }
    }

    private func text(_ plan: OdooDay.Plan) -> String {
        func clock(_ seconds: Int64) -> String {
            let day = seconds / 86_400
            let (hours, minutes) = (seconds % 86_400 / 3_600, seconds % 3_600 / 60)
            return String(repeating: "+", count: Int(day)) + "\(hours):\(minutes < 10 ? "0" : "")\(minutes)"
        }
        let intervals = plan.intervals.map { "\(clock($0.checkIn))-\($0.checkOut.map { clock($0) } ?? "")" }
        return (intervals + plan.unpaired.map { "!\(clock($0.time))" }).joined(separator: " ")
    }

    @Test(
        "follow the rules",
        arguments: [
            ("i08:00 o12:00 i13:00 o17:00", "8:00-12:00 13:00-17:00"),
            ("i08:00", "8:00-"),
            ("u08:00 u12:00 u13:00", "8:00-12:00 13:00-"),
            ("i08:00 i08:01 o12:00 o12:02", "8:00-12:00"),
            ("i08:00 i13:00 o17:00", "8:00-8:00 13:00-17:00"),
            ("o12:00 i13:00 o17:00 o18:00", "13:00-17:00 !12:00 !18:00"),
            ("i22:00 +o02:00", "22:00-+2:00"),
            ("i22:00 +o05:00", "22:00-22:00 !+5:00"),
            ("i08:00 +i08:00", "8:00-8:00 +8:00-"),
            ("i08:00 +u08:00", "8:00-8:00 +8:00-"),
            ("", ""),
        ])
    func rules(given: String, expected: String) throws {
        #expect(text(OdooDay.plan(try punches(given), rule)) == expected)
    }

    @Test("at every step between two states no attendances overlap and at most one is open")
    func order() throws {
        var random = SplitMix64(seed: 5)
        for _ in 0..<2_000 {
            func some() -> [OdooLedger.Punch] {
                (0..<Int.random(in: 0...7, using: &random)).map { _ in
                    let time = Int64.random(in: 0...20, using: &random) * 3_600 + 6 * 3_600
                    return OdooLedger.Punch(
                        time: time, wall: time, kind: [.in, .out, .unknown].randomElement(using: &random) ?? .in)
                }.sorted { ($0.time, $0.kind.rawValue) < ($1.time, $1.kind.rawValue) }
            }
            let before = OdooDay.plan(some(), rule).intervals
            let target = OdooDay.plan(some(), rule).intervals
            var state = before
            for change in OdooChange.changes(from: before.map { .init(id: 1, interval: $0) }, to: target) {
                switch change {
                case .delete(let checkIn): state.removeAll { $0.checkIn == checkIn }
                case .write(let interval):
                    state = state.map { $0.checkIn == interval.checkIn ? interval : $0 }
                case .create(let interval): state.append(interval)
                }
                state.sort { $0.checkIn < $1.checkIn }
                for (first, second) in zip(state, state.dropFirst()) {
                    #expect((first.checkOut ?? .max) <= second.checkIn, "\(before) to \(target): \(state)")
                }
            }
            #expect(state == target)
        }
    }

    @Test("remembers a punch once, in the direction in which it came last, and no more than some days and punches")
    func ledger() {
        var ledger = OdooLedger()
        func remember(_ time: Int64, _ kind: OdooLedger.Kind = .in) -> Bool {
            ledger.remember(.init(time: time, wall: time, kind: kind))
        }
        #expect([remember(100), remember(50), remember(100, .out)] == [true, true, true])
        #expect(ledger.punches.map(\.time) == [50, 100])
        #expect(ledger.punches.map(\.kind) == [.in, .out])
        for time in 1_000..<6_000 { #expect(remember(Int64(time))) }
        #expect(ledger.punches.count == OdooLedger.rememberedCount)
        #expect(!remember(100))
        #expect(remember(100 * 86_400))
        #expect(ledger.punches.map(\.time) == [100 * 86_400])
    }
}
