import DeviceKit
import Testing

/// A plain text as it stands in a file.
private func plain(_ text: String) -> ConfigurationNode {
    ConfigurationNode(
        .scalar(.init(text)), at: SourceMark(file: "a.yaml", line: 1, column: 1, sourceLine: text), path: "k")
}

private func quoted(_ text: String) -> ConfigurationNode {
    ConfigurationNode(.scalar(.init(text, isQuoted: true)), at: SourceMark(file: "a.yaml"), path: "k")
}

/// The code of the only problem; `ok` when there is none.
private func outcome<Value>(_ type: SettingType<Value>, _ node: ConfigurationNode) -> String {
    do throws(ConfigurationError) {
        _ = try type.read(node)
        return "ok"
    } catch {
        return error.diagnostics.map(\.code).joined(separator: ",")
    }
}

@Suite("Types of settings")
struct SettingTypeTests {
    @Test(
        "whole numbers",
        arguments: [
            ("0", "ok"), ("100", "ok"), ("-5", "ok"), ("+7", "ok"), ("101", "out-of-range"), ("-6", "out-of-range"),
            ("007", "wrong-type"), ("1e2", "wrong-type"), ("0x10", "wrong-type"), ("1.0", "wrong-type"),
            ("1_0", "wrong-type"), ("", "wrong-type"), ("-", "wrong-type"), ("٣", "wrong-type"),
            ("99999999999999999999", "wrong-type"),
        ])
    func integers(text: String, expected: String) { #expect(outcome(.integer(in: -5...100), plain(text)) == expected) }

    @Test("quoted digits are a text, not a number")
    func quotedNumbers() {
        #expect(outcome(.integer(in: 0...9), quoted("5")) == "wrong-type")
        #expect(outcome(.bool, quoted("true")) == "wrong-type")
        #expect(outcome(.text(), quoted("5")) == "ok")
    }

    @Test(
        "ports",
        arguments: [
            ("1", "ok"), ("65535", "ok"), ("0", "out-of-range"), ("65536", "out-of-range"), ("http", "wrong-type"),
        ])
    func ports(text: String, expected: String) { #expect(outcome(.port, plain(text)) == expected) }

    @Test(
        "numbers",
        arguments: [
            ("0.5", "ok"), ("1", "ok"), ("-0.25", "ok"), ("1.01", "out-of-range"), (".5", "wrong-type"),
            ("5.", "wrong-type"),
            ("nan", "wrong-type"), ("inf", "wrong-type"), ("1,5", "wrong-type"),
        ])
    func numbers(text: String, expected: String) { #expect(outcome(.number(in: -1...1), plain(text)) == expected) }

    @Test(
        "true and false",
        arguments: [
            ("true", "ok"), ("False", "ok"), ("yes", "wrong-type"), ("1", "wrong-type"), ("tRue", "wrong-type"),
        ])
    func bools(text: String, expected: String) { #expect(outcome(.bool, plain(text)) == expected) }

    @Test(
        "durations",
        arguments: [
            ("10s", "ok"), ("250ms", "ok"), ("1h30m", "ok"), ("1m0s", "ok"), ("0s", "out-of-range"),
            ("3h", "out-of-range"),
            ("10", "wrong-form"), ("10 s", "wrong-form"), ("1m1h", "wrong-form"), ("1s1s", "wrong-form"),
            ("s", "wrong-form"),
            ("-1s", "wrong-form"), ("1.5s", "wrong-form"), ("99999999999999999999s", "wrong-form"),
            ("9999999999999999d", "wrong-form"), ("10S", "wrong-form"), ("", "wrong-form"),
        ])
    func durations(text: String, expected: String) {
        #expect(outcome(.duration(in: .milliseconds(1) ... .seconds(7_200)), plain(text)) == expected)
    }

    @Test("a duration is written so that it reads back", arguments: [0, 1, 999, 1_000, 61_000, 5_400_000, 90_061_001])
    func durationRoundTrip(milliseconds: Int) {
        #expect(DurationText.parse(DurationText.format(.milliseconds(milliseconds))) == .milliseconds(milliseconds))
    }

    @Test(
        "hosts",
        arguments: [
            ("192.168.1.201", "ok"), ("gate.local", "ok"), ("gate-2", "ok"), ("fd00::12", "ok"),
            ("::ffff:10.0.0.1", "ok"),
            ("fe80::1%eth0", "ok"), ("300.1.1.1", "wrong-form"), ("1.2.3", "wrong-form"),
            ("10.0.0.1:4370", "wrong-form"),
            ("http://gate", "wrong-form"), ("[::1]", "wrong-form"), ("a b", "wrong-form"), ("-a", "wrong-form"),
            ("a..b", "wrong-form"), ("", "wrong-form"), ("é.local", "wrong-form"),
            (String(repeating: "a", count: 64), "wrong-form"),
        ])
    func hosts(text: String, expected: String) { #expect(outcome(.host, plain(text)) == expected) }

    @Test(
        "rates",
        arguments: [
            ("2/min", "ok"), ("0.5/s", "ok"), ("0/day", "ok"), ("100/h", "ok"), ("11/s", "out-of-range"),
            ("2", "wrong-form"),
            ("2/minute", "wrong-form"), ("/min", "wrong-form"), ("-1/s", "wrong-form"), ("1/s/s", "wrong-form"),
        ])
    func rates(text: String, expected: String) { #expect(outcome(.rate(in: 0...10), plain(text)) == expected) }

    @Test(
        "texts are one line",
        arguments: [
            ("a", "ok"), ("007", "ok"), ("no", "ok"), ("", "out-of-range"), ("12345678901", "out-of-range"),
            ("a\tb", "wrong-form"),
        ])
    func texts(text: String, expected: String) { #expect(outcome(.text(maximumLength: 10), plain(text)) == expected) }

    @Test(
        "zones and schedules",
        arguments: [
            ("Asia/Ho_Chi_Minh", "ok", "wrong-schedule"), ("UTC", "ok", "wrong-schedule"),
            ("EST", "unknown-zone", "wrong-schedule"),
            ("*/5 * * * *", "unknown-zone", "ok"), ("* * * *", "unknown-zone", "wrong-schedule"),
        ])
    func zonesAndSchedules(text: String, zone: String, cron: String) {
        #expect(outcome(.timeZone, plain(text)) == zone)
        #expect(outcome(.cron, plain(text)) == cron)
    }

    @Test("a list reports each faulty element, and its length")
    func lists() {
        let mark = SourceMark(file: "a.yaml")
        func list(_ texts: [String]) -> ConfigurationNode {
            ConfigurationNode(.sequence(texts.map { plain($0) }), at: mark, path: "k")
        }
        #expect(outcome(SettingType.port.list(1...3), list(["1", "x", "0"])) == "wrong-type,out-of-range")
        #expect(outcome(SettingType.port.list(1...3), list([])) == "out-of-range")
        #expect(outcome(SettingType.port.list(1...3), plain("1")) == "wrong-type")
        #expect(outcome(SettingType.port.list(1...3), list(["1", "2"])) == "ok")
    }

    @Test("wrong shapes and missing values are told apart; what is reported already is not reported again")
    func shapes() {
        let mark = SourceMark(file: "a.yaml")
        #expect(outcome(.port, ConfigurationNode(.null, at: mark, path: "k")) == "no-value")
        #expect(outcome(.port, ConfigurationNode(.mapping([]), at: mark, path: "k")) == "wrong-type")
        #expect(outcome(.port, ConfigurationNode(.sequence([]), at: mark, path: "k")) == "wrong-type")
        #expect(outcome(.port, ConfigurationNode(.invalid, at: mark, path: "k")) == "")
    }
}

@Suite("NearestName")
struct NearestNameTests {
    @Test(
        "finds what was meant, and nothing for something else",
        arguments: [
            ("adress", "address"), ("ADDRESS", "address"), ("prot", "port"), ("time-out", "timeout"),
            ("passwort", "password"),
            ("ort", "port"), ("colour", nil), ("x", nil), ("", nil),
        ])
    func nearest(name: String, expected: String?) {
        let schema = SettingsSchema(
            Setting.host("address", "."), Setting.port("port", "."), Setting.secret("password", "."),
            Setting.bool("timeout", "."))
        let mark = SourceMark(file: "a.yaml")
        let member = ConfigurationNode.Member(
            key: name, keyMark: mark, node: ConfigurationNode(.null, at: mark, path: name))
        var report: [Diagnostic] = []
        _ = schema.decode(ConfigurationNode(.mapping([member]), at: mark, path: ""), reportingTo: &report)
        let hint = report.first { $0.code == "unknown-key" }?.hint
        #expect(hint == expected.map { "did you mean '\($0)'?" } ?? "known keys: address, password, port, timeout")
    }
}
