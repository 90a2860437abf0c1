import DeviceKit
import Logging
import Testing

@testable import MusterHost
@testable import muster

@Suite("status --check")
struct ServiceCheckTests {
    typealias Facts = ServiceCheck.Facts

    private let well = Facts(
        devices: [.init(name: "lobby"), .init(name: "gate"), .init(name: "old", isEnabled: false, trouble: "off")],
        sinks: [.init(name: "db", backlog: 3, lag: 2)])

    @Test("all well is 0, with figures for graphs")
    func ok() {
        let check = ServiceCheck(well, .init())
        #expect(check.level.rawValue == 0)
        #expect(
            check.line
                == "MUSTER OK - 2 devices, 1 sink, all well | away=0;1;;0;2 conditions=0;;;0 db_lag=2s;900;7200;0 "
                + "db_behind=3;;;0 db_dead_letters=0;1;;0")
    }

    @Test("a device that is away is a warning, with its reason")
    func away() {
        var facts = well
        facts.devices[0].trouble = "no | answer"
        let check = ServiceCheck(facts, .init())
        #expect(check.level.rawValue == 1)
        #expect(check.line.hasPrefix("MUSTER WARNING - 1 of 2 devices is away: lobby (no / answer) | away=1;"))
        var limits = ServiceCheck.Limits()
        limits.away = .init(warning: nil, critical: 1)
        #expect(ServiceCheck(facts, limits).level == .critical)
        limits.away = .init()
        #expect(ServiceCheck(facts, limits).level == .ok)
    }

    @Test("the gravest of several problems decides, and stands first")
    func several() {
        var facts = well
        facts.sinks[0].lag = 8_000
        facts.sinks[0].error = "refused"
        facts.sinks[0].deadLetters = 2
        facts.fill = 81.25
        let check = ServiceCheck(facts, .init())
        #expect(check.level == .critical)
        #expect(
            check.line.hasPrefix(
                "MUSTER CRITICAL - sink db is 3 punches behind, the oldest for 2h13m20s: refused; "
                    + "sink db refused 2 punches; the journal is 81.2 % full | "))
        #expect(check.line.hasSuffix(" journal_fill=81.2%;80;95;0"))
    }

    @Test("conditions count by their severity, unless they are to be ignored")
    func conditions() {
        var facts = well
        facts.devices[0].conditions = [
            DeviceCondition(.clockOff, "a", since: Instant(secondsSince1970: 0)),
            DeviceCondition(.gap, "b", since: Instant(secondsSince1970: 0)),
        ]
        #expect(ServiceCheck(facts, .init()).level == .critical)
        var limits = ServiceCheck.Limits()
        limits.ignored = ["gap"]
        #expect(ServiceCheck(facts, limits).line.hasPrefix("MUSTER WARNING - lobby: clock-off |"))
    }

    @Test("no host is critical, and what cannot be found out is unknown")
    func hosts() {
        #expect(ServiceCheck(Facts(isRunning: false), .init()).level.rawValue == 2)
        let unknown = ServiceCheck(unknown: "office.yaml:1:1: error")
        #expect(unknown.level.rawValue == 3)
        #expect(unknown.line == "MUSTER UNKNOWN - office.yaml:1:1: error")
    }

    @Test(
        "thresholds are two numbers, either of which may be left out",
        arguments: [
            ("1,10", 1, 10), ("1", 1, nil), (",10", nil, 10), ("", nil, nil), ("0.5,", 0.5, nil),
        ] as [(String, Double?, Double?)])
    func thresholds(text: String, warning: Double?, critical: Double?) {
        #expect(
            ServiceCheck.Thresholds.parse(text) { Double($0) }
                == ServiceCheck.Thresholds(
                    warning: warning, critical: critical))
    }

    @Test("other thresholds are refused", arguments: ["a", "1,2,3", "-1", "1;2"])
    func wrongThresholds(text: String) {
        #expect(ServiceCheck.Thresholds.parse(text) { Double($0) } == nil)
    }
}

@Suite("Lines of the log")
struct LogLineTests {
    private func line(_ level: Logger.Level = .warning) -> LogLine {
        LogLine(
            time: Instant(secondsSince1970: 1_764_072_000), level: level, message: "it went \"away\"",
            metadata: ["device": "lobby", "error": "no\nanswer", "sink": "db"])
    }

    @Test("for people")
    func text() {
        #expect(
            line().text(.text)
                == "2025-11-25T12:00:00Z warning  lobby: it went \"away\" error=no\\u{a}answer sink=db")
    }

    @Test("for systemd's journal, with the level that it reads")
    func journal() {
        #expect(line().text(.journal) == "<4>lobby: it went \"away\" error=no\\u{a}answer sink=db")
        #expect(line(.critical).text(.journal).hasPrefix("<2>"))
        #expect(line(.debug).text(.journal).hasPrefix("<7>"))
    }

    @Test("for programs, with stable keys in their order")
    func json() {
        #expect(
            line().text(.json)
                == #"{"time":"2025-11-25T12:00:00Z","level":"warning","message":"it went \"away\"","device":"lobby","#
                + #""sink":"db","fields":{"error":"no\nanswer"}}"#)
    }

    @Test("the level can be changed for all loggers at once, and one logger may keep its own")
    func level() {
        let log = ProcessLog(format: .text, level: .info, redactor: Redactor())
        var own = log.logger
        own.logLevel = .error
        log.level.level = .debug
        #expect(log.logger.logLevel == .debug)
        #expect(own.logLevel == .error)
    }
}
