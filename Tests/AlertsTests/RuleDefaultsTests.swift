import DeviceKit
import Testing

@testable import Alerts

@Suite("Rules as they are by default")
struct RuleDefaultsTests {
    @Test(
        "what is measured begins to matter at exactly these values",
        arguments: [
            (.hostDisk, 90, 97), (.journalQuota, 80, 95), (.storageHigh, 80, 95), (.clockDrift, 30, 120),
            (.sinkBacklog, 900, 14_400), (.deviceSilent, 8, nil), (.sinkParked, 1, nil),
        ] as [(AlertRule, Double?, Double?)])
    func thresholds(_ rule: AlertRule, _ warning: Double?, _ critical: Double?) {
        let plan = RulePlan(rule)
        #expect(plan.severity(of: 0) == nil)
        if let warning {
            #expect(plan.severity(of: warning.nextDown) == nil)
            #expect(plan.severity(of: warning) == .warning)
        }
        if let critical {
            #expect(plan.severity(of: critical.nextDown) == (warning == nil ? nil : .warning))
            #expect(plan.severity(of: critical) == .critical)
        }
    }

    private func titles(_ signals: AlertSignal...) -> [String] {
        var bench = EngineBench(EngineBench.plan())
        bench.signal(signals)
        bench.run(for: .seconds(30))
        return bench.takeArrivals().map(\.title)
    }

    @Test("the host's own troubles, in words")
    func host() {
        #expect(
            titles(AlertSignal(.hostDisk, .host, .measured(90), "3.0 GB are free"))
                == ["WARNING: this host has little room on its disk"])
        #expect(
            titles(AlertSignal(.journalQuota, .host, .measured(95), "the journal takes 95 % of its quota"))
                == ["CRITICAL: this host has a journal that nears its quota"])
        #expect(
            titles(AlertSignal(.journalLoss, .host, .happened(lasting: .seconds(3_600)), "7 punches were given up"))
                == ["CRITICAL: this host gave up punches that a sink had not got"])
        // A full disk explains the quota, and not what was lost.
        #expect(
            titles(
                AlertSignal(.hostDisk, .host, .active(.critical)),
                AlertSignal(.journalQuota, .host, .measured(99)),
                AlertSignal(.journalLoss, .host, .happened(lasting: .seconds(3_600)))
            ).sorted() == [
                "CRITICAL: this host gave up punches that a sink had not got",
                "CRITICAL: this host has little room on its disk",
            ])
    }

    @Test("terminals without punches, and with impossible ones, in words")
    func devices() {
        let gate = AlertSubject.device("gate-1")
        #expect(titles(AlertSignal(.deviceSilent, gate, .measured(7.9))) == [])
        #expect(
            titles(AlertSignal(.deviceSilent, gate, .measured(8)))
                == ["WARNING: Gate 1 (North) has no punches though it usually has at this hour"])
        #expect(
            titles(AlertSignal(.clockJump, gate, .happened(lasting: .seconds(60)), "1999-12-31 23:00:00"))
                == ["CRITICAL: Gate 1 (North) sends punches with an impossible time"])
        // One that cannot be reached is not called silent as well.
        var bench = EngineBench(EngineBench.plan())
        bench.away(1)
        bench.signal(AlertSignal(.deviceSilent, gate, .measured(9)))
        bench.run(for: .seconds(600))
        #expect(bench.takeArrivals().map(\.title) == ["WARNING: Gate 1 (North) cannot be reached"])
    }
}
