import DeviceKit
import Testing

@testable import Alerts

/// The engine with a clock that the test moves, and with channels that take everything unless told otherwise.
struct EngineBench {
    struct Arrival: Equatable, CustomStringConvertible {
        var after: Duration
        var channel: String
        var kind: AlertMessage.Kind
        var title: String

        init(_ after: Duration, _ channel: String, _ kind: AlertMessage.Kind, _ title: String) {
            self.after = after
            self.channel = channel
            self.kind = kind
            self.title = title
        }

        var description: String { "\(DurationText.format(after)) \(channel) \(kind.rawValue): \(title)" }
    }

    var engine: AlertEngine
    private(set) var moment: AlertMoment
    private let start: Instant
    /// Since the last call of ``takeArrivals()``.
    private var arrivals: [Arrival] = []
    /// Every message that arrived, in order.
    private(set) var messages: [AlertSend] = []
    private(set) var ended: [Incident] = []
    /// Channels that fail, and how.
    var faults: [String: ChannelFault] = [:]

    /// - Parameter start: a Monday at 12:00 UTC unless given.
    init(_ plan: AlertPlan, start: Instant = Instant(secondsSince1970: 1_767_614_400)) {
        engine = AlertEngine(plan, state: AlertState(host: "host"))
        moment = AlertMoment(now: start, uptime: .zero)
        self.start = start
    }

    /// A site with devices `gate-1`… and one channel `ops`; waits as they are by default.
    static func plan(devices: Int = 3, channels: [ChannelPlan] = [ChannelPlan(name: "ops")]) -> AlertPlan {
        var plan = AlertPlan()
        for number in 1...max(devices, 1) {
            plan.devices["gate-\(number)"] = AlertPlan.DeviceFacts(name: "Gate \(number)", site: "North", zone: .utc)
        }
        plan.sinks = ["db"]
        plan.channels = channels
        return plan
    }

    mutating func signal(_ signals: AlertSignal...) { signal(signals) }

    mutating func signal(_ signals: [AlertSignal]) {
        engine.take(signals, at: moment)
        settle()
    }

    mutating func away(_ number: Int) {
        signal(AlertSignal(.deviceOffline, .device("gate-\(number)"), .active(nil), "did not answer"))
    }

    mutating func back(_ number: Int, recovered: Int? = nil) {
        let subject = AlertSubject.device("gate-\(number)")
        signal(AlertSignal(.deviceOffline, subject, .clear(awaitsEffect: recovered != nil)))
        if let recovered { signal(AlertSignal(.deviceOffline, subject, .effect(punches: recovered))) }
    }

    /// Goes from deadline to deadline, as the host does.
    mutating func run(for duration: Duration) {
        let end = moment.uptime + duration
        settle()
        while moment.uptime < end {
            let due = engine.deadline.map { max($0 - moment.now, .milliseconds(1)) } ?? duration
            move(by: min(due, end - moment.uptime))
            settle()
        }
    }

    private mutating func move(by duration: Duration) {
        moment.now = moment.now + duration
        moment.uptime += duration
    }

    /// Somebody sets the clock.
    mutating func jump(by duration: Duration) {
        moment.now = moment.now + duration
        settle()
    }

    /// A new process with the stored state.
    mutating func restart(after downtime: Duration = .zero) {
        move(by: downtime)
        let rows = AlertStore.rows(engine.state)
        engine = AlertEngine(engine.plan, state: AlertStore.state(rows, newHost: "other"))
        settle()
    }

    mutating func settle() {
        while true {
            let sends = engine.step(at: moment)
            ended += engine.takeEnded()
            guard !sends.isEmpty else { return }
            for send in sends {
                if let fault = faults[send.channel] {
                    engine.failed(send.message.id, by: send.channel, fault, at: moment)
                } else {
                    arrivals.append(
                        Arrival(moment.uptime, send.channel, send.message.kind, send.message.title))
                    messages.append(send)
                    engine.sent(send.message.id, by: send.channel, reference: "r\(messages.count)", at: moment)
                }
            }
        }
    }

    mutating func takeArrivals() -> [Arrival] {
        defer { arrivals = [] }
        return arrivals
    }

    /// Kinds of what arrived, with their times.
    mutating func takeKinds() -> [String] {
        takeArrivals().map { "\(DurationText.format($0.after)) \($0.channel) \($0.kind.rawValue)" }
    }
}

let hour = Duration.seconds(3_600)
let minute = Duration.seconds(60)
