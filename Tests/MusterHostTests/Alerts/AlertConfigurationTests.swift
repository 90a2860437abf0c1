import Alerts
import DeviceKit
import Testing

@testable import MusterHost

/// A channel that a configuration can name; it goes nowhere.
struct QuietChannel: AlertChannel {
    struct Settings: ChannelSettings {
        static let token = Setting.secret("token", "Who asks.")
        static let schema = SettingsSchema(token)
        init(_ values: SettingsValues) throws(ConfigurationError) {
            if try values.value(Self.token).reveal() == "bad" { throw values.error("token", "is no token") }
        }
    }

    static let manifest = ChannelManifest(id: "quiet", summary: "Goes nowhere.")

    init(settings: Settings, context: ChannelContext) throws(ChannelFault) {}
    func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt { ChannelReceipt() }
    func close() async {}
}

@Suite("The section alerts")
struct AlertConfigurationTests {
    private let channels = ChannelRegistry([ChannelRegistration(QuietChannel.self)])

    private func load(_ alerts: String) -> ConfigurationLoader.Loading {
        let text = """
            timezone: Asia/Ho_Chi_Minh
            devices: {lobby: {driver: simulator, location: Hall}}
            \(alerts)
            """
        return ConfigurationLoader(
            drivers: testDrivers, sinks: testSinks, channels: channels, environment: ["TOKEN": "t"],
            files: MemoryFiles(["office.yaml": text])
        ).load("office.yaml")
    }

    private func problems(_ alerts: String) -> [String] {
        load(alerts).report.diagnostics.map { "\($0.mark.line):\($0.mark.column) \($0.path): \($0.message)" }
    }

    @Test("everything that can be said")
    func whole() throws {
        let loading = load(
            """
            alerts:
              group_wait: 10s
              group_interval: 1m
              look_every: 5s
              repeat: {critical: [30m], info: [1d]}
              site_link: {devices: 5, within: 1m, settle: 5m}
              flapping: {changes: 6, within: 2h, calm: 15m}
              deadman: {url: "${TOKEN:-https://ping.example.com/x}", every: 1m}
              rules:
                device.offline: {for: 2m, critical_after: 30m, hours: ["mon-fri 06:00-22:00"], repeat: [1h, 2h]}
                clock.drift: {warning: 10s, critical: 1m}
                storage.high: {warning: 70}
                log.cleared: {severity: warning}
                device.silent: {enabled: false}
              channels:
                ops:
                  type: quiet
                  token: "${TOKEN}"
                  severity: warning
                  quiet: ["22:00-06:00", "sun 00:00-24:00"]
                  critical_breaks_through: false
                  fallback: boss
                  burst: 3
                  rate: 6/h
                  retry_base: 1s
                boss: {type: quiet, token: "${TOKEN}", timezone: Europe/Berlin}
              escalation:
                - {channels: [ops]}
                - {channels: [boss, ops], after: 30m, severity: critical}
            """.replacing("${TOKEN:-https://ping.example.com/x}", with: "${PING:-https://ping.example.com/x}"))
        #expect(loading.report.diagnostics.isEmpty, "\(loading.report.text)")
        let alerts = try #require(loading.configuration?.alerts)
        let plan = alerts.plan(for: try #require(loading.configuration))
        #expect(plan.groupWait == .seconds(10))
        #expect(plan.groupInterval == .seconds(60))
        #expect(alerts.lookEvery == .seconds(5))
        #expect(plan.repeats[.critical] == [.seconds(1_800)])
        #expect(plan.repeats[.warning] == AlertPlan().repeats[.warning])
        #expect(plan.siteLink.devices == 5)
        #expect(plan.flapping.calm == .seconds(900))
        #expect(alerts.deadman?.every == .seconds(60))
        let offline = try #require(plan.rules[.deviceOffline])
        #expect(offline.holdFor == .seconds(120))
        #expect(offline.criticalAfter == .seconds(1_800))
        #expect(offline.hours.map(\.description) == ["mon-fri 06:00-22:00"])
        #expect(offline.repeats == [.seconds(3_600), .seconds(7_200)])
        #expect(plan.rules[.clockDrift]?.warningAt == 10)
        #expect(plan.rules[.clockDrift]?.criticalAt == 60)
        #expect(plan.rules[.storageHigh]?.criticalAt == 95)
        #expect(plan.rules[.logCleared]?.severity == .warning)
        #expect(plan.rules[.deviceSilent]?.isEnabled == false)
        #expect(plan.rules[.deviceAuth] == RulePlan(.deviceAuth))
        let ops = try #require(plan.channels.first)
        #expect(ops.name == "ops")
        #expect(ops.severity == .warning)
        #expect(ops.quiet.count == 2)
        #expect(ops.isQuietForCritical)
        #expect(ops.zone.identifier == "Asia/Ho_Chi_Minh")
        #expect(ops.fallback == "boss")
        #expect(ops.burst == 3)
        #expect(ops.retryBase == .seconds(1))
        #expect(plan.channels.last?.zone.identifier == "Europe/Berlin")
        #expect(plan.steps.map(\.after) == [.zero, .seconds(1_800)])
        #expect(plan.steps.last?.channels == ["boss", "ops"])
        #expect(plan.devices["lobby"]?.site == "Hall")
    }

    @Test("defaults are those of the rules, with and without the section")
    func defaults() throws {
        for text in [
            "", "alerts:", "alerts: {rules: {device.offline: {}, clock.drift: {}, sink.parked: , site.link: {}}}",
        ] {
            let loading = load(text)
            #expect(loading.report.diagnostics.isEmpty, "\(loading.report.text)")
            #expect(loading.configuration?.alerts.base == AlertPlan())
            #expect(loading.configuration?.alerts.isLike(AlertConfiguration()) == true)
        }
    }

    @Test(
        "mistakes are named where they stand",
        arguments: [
            ("alerts: {grupp_wait: 1s}", "3:10 alerts.grupp_wait: is not a known key"),
            ("alerts: {rules: {device.ofline: {}}}", "3:18 alerts.rules.device.ofline: is not a known rule"),
            (
                "alerts: {rules: {device.offline: {warning: 3}}}",
                "3:35 alerts.rules.device.offline.warning: is not a known key"
            ),
            (
                "alerts: {rules: {clock.drift: {warning: 2m, critical: 1m}}}",
                "3:55 alerts.rules.clock.drift.critical: is less than warning"
            ),
            ("alerts: {rules: {device.offline: {for: 5}}}", "3:40 alerts.rules.device.offline.for: 5 has no unit"),
            (
                "alerts: {channels: {ops: {type: pigeon}}}",
                "3:33 alerts.channels.ops.type: there is no channel type 'pigeon'"
            ),
            ("alerts: {channels: {ops: {token: x}}}", "3:21 alerts.channels.ops: the key 'type' is missing"),
            (
                "alerts: {channels: {ops: {type: quiet, token: \"${TOKEN}\", quiet: [\"22-06\"]}}}",
                "3:67 alerts.channels.ops.quiet[0]: '22-06' is not hours of the day"
            ),
            (
                "alerts: {channels: {ops: {type: quiet, token: \"${TOKEN}\", fallback: ops}}}",
                "3:69 alerts.channels.ops.fallback: there is no other channel 'ops'"
            ),
            (
                "alerts: {channels: {ops: {type: quiet, token: \"${BAD:-bad}\"}}}",
                "3:47 alerts.channels.ops.token: is no token"
            ),
            (
                "alerts: {escalation: [{channels: [nobody]}]}",
                "3:35 alerts.escalation[0].channels[0]: there is no channel 'nobody'"
            ),
            ("alerts: {escalation: {channels: [a]}}", "3:22 alerts.escalation: expected a list, found keys and values"),
            ("alerts: {repeat: {critical: [0s]}}", "3:30 alerts.repeat.critical[0]: 0s is outside 1s…366d"),
            ("alerts: {deadman: {every: 1m}}", "3:10 alerts.deadman: the key 'url' is missing"),
            ("alerts: {deadman: {url: \"${P:-ftp://x}\"}}", "3:25 alerts.deadman.url: is not a web address"),
            ("alerts: 7", "3:9 alerts: expected keys and values, found '7'"),
        ])
    func mistakes(_ text: String, _ expected: String) {
        #expect(problems(text) == [expected])
    }

    @Test("a secret in clear is warned of, and shown in no message")
    func secrets() {
        let report = load("alerts: {channels: {ops: {type: quiet, token: canary-9, colour: red}}}").report
        #expect(report.diagnostics.contains { $0.code == "secret-in-clear" })
        #expect(!report.text.contains("canary-9"))
    }

    @Test("the JSON Schema lists what the loader reads")
    func schema() throws {
        let root = ConfigurationSchema.root(drivers: testDrivers, sinks: testSinks, channels: channels)
        let alerts = try #require(root["properties"]?["alerts"]?["properties"])
        guard case .object(let members) = alerts else { return }
        #expect(
            members.map(\.key) == [
                "group_wait", "group_interval", "look_every", "channels", "escalation", "rules", "repeat", "site_link",
                "flapping", "deadman",
            ])
        guard case .object(let rules)? = alerts["rules"]?["properties"] else { return }
        #expect(rules.map(\.key) == AlertRule.allCases.map(\.rawValue))
    }

    @Test("a reload tells of changed alerts, and of nothing when only places differ")
    func changes() throws {
        let first = try #require(load("alerts: {group_wait: 10s}").configuration)
        let same = try #require(load("\nalerts:\n  group_wait: 10s").configuration)
        let other = try #require(load("alerts: {group_wait: 11s}").configuration)
        #expect(ConfigurationChange(from: first, to: same).isEmpty)
        #expect(ConfigurationChange(from: first, to: other).adjusted == ["alerts"])
    }
}
