import Alerts
import DeviceKit
import Journal

/// Translates what happens in the host into what the alert engine takes. Pure.
struct HostSignals: Sendable {
    private let devices: [DeviceID: HostConfiguration.Device]

    /// How long something that only happens stays an alert after the last time.
    private static let momentary = Duration.seconds(6 * 3_600)

    init(_ configuration: HostConfiguration) {
        devices = Dictionary(
            configuration.devices.filter(\.isEnabled).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Events that mean something here; the others need not be kept.
    static func isWanted(_ event: HostEvent) -> Bool {
        switch event {
        case .device(_, let event):
            switch event {
            case .connected, .wentAway, .raised, .cleared, .polled, .clockRead: true
            default: false
            }
        case .sink: false
        case .journal(let event):
            switch event {
            case .diskFull, .hasRoom, .forgotUndelivered: true
            default: false
            }
        }
    }

    func signals(_ event: HostEvent, at instant: Instant) -> [AlertSignal] {
        switch event {
        case .device(let id, let event): devices[id].map { signals($0, event, at: instant) } ?? []
        case .sink: []
        case .journal(let event): signals(event)
        }
    }

    private func signals(
        _ device: HostConfiguration.Device, _ event: DeviceEvent, at instant: Instant
    ) -> [AlertSignal] {
        let subject = AlertSubject.device(device.id.name)
        switch event {
        case .wentAway(let fault):
            return [
                AlertSignal(
                    .deviceOffline, subject, .active(nil), fault.message, since: instant,
                    leastHold: expectedInterval(device, after: instant) * 3)
            ]
        case .connected:
            let canPoll = device.driver.manifest.intakes.contains(.polling)
            return [AlertSignal(.deviceOffline, subject, .clear(awaitsEffect: canPoll))]
        case .polled(let summary, _): return [AlertSignal(.deviceOffline, subject, .effect(punches: summary.journaled))]
        case .clockRead(let drift): return [Self.clock(subject, drift)]
        case .raised(let condition):
            guard let rule = Self.rule(condition.code) else { return [] }
            return [AlertSignal(rule, subject, .active(nil), condition.message, since: condition.since)]
        case .cleared(let condition):
            guard let rule = Self.rule(condition.code) else { return [] }
            return [AlertSignal(rule, subject, .clear(awaitsEffect: false))]
        default: return []
        }
    }

    private func signals(_ event: JournalEvent) -> [AlertSignal] {
        switch event {
        case .diskFull(let message): [AlertSignal(.hostDisk, .host, .active(.critical), message)]
        // What the disk holds is measured again soon.
        case .hasRoom: [AlertSignal(.hostDisk, .host, .clear(awaitsEffect: false))]
        case .forgotUndelivered(let count):
            [
                AlertSignal(
                    .journalLoss, .host, .happened(lasting: Self.momentary),
                    "\(count) \(count == 1 ? "punch was" : "punches were") given up")
            ]
        case .quota, .failed: []
        }
    }

    private static func clock(_ subject: AlertSubject, _ drift: Duration) -> AlertSignal {
        let side = drift < .zero ? "behind" : "ahead"
        return AlertSignal(
            .clockDrift, subject, .measured(drift.magnitude.inSeconds),
            "its clock is \(DurationText.format(drift.magnitude)) \(side)")
    }

    /// What a device's stored state says at the start, raised and not raised.
    func signals(_ device: DeviceID, _ status: DeviceStatus) -> [AlertSignal] {
        guard devices[device] != nil else { return [] }
        let clock = status.clockDrift.map { [Self.clock(.device(device.name), $0)] } ?? []
        return signals(device, status.conditions) + clock
    }

    private func signals(_ device: DeviceID, _ conditions: DeviceConditions) -> [AlertSignal] {
        DeviceCondition.Code.allCases.compactMap { code in
            guard let rule = Self.rule(code) else { return nil }
            let condition = conditions[code]
            return AlertSignal(
                rule, .device(device.name), condition == nil ? .clear(awaitsEffect: false) : .active(nil),
                condition?.message ?? "", since: condition?.since)
        }
    }

    /// Conditions that are alerts as they stand. What can be measured is measured: see ``AlertWatch``.
    private static func rule(_ code: DeviceCondition.Code) -> AlertRule? {
        switch code {
        case .deviceReplaced: .deviceReplaced
        case .unauthorised: .deviceAuth
        case .faulted: .deviceFaulted
        case .logCleared: .logCleared
        case .gap: .logGap
        case .clockUnreadable: .clockDrift
        case .captureSuspended, .logNearlyFull, .clockOff, .clockSetBack: nil
        }
    }

    /// How often a device is heard of when all is well.
    private func expectedInterval(_ device: HostConfiguration.Device, after instant: Instant) -> Duration {
        if device.schedule.isCapturing, device.driver.manifest.intakes.contains(.capturing) {
            return device.lifecycle.keepAliveIdle
        }
        let first = device.schedule.poll.next(after: instant, in: device.zone)
        guard let first, let second = device.schedule.poll.next(after: first, in: device.zone) else { return .zero }
        return min(second - first, .seconds(86_400))
    }
}
