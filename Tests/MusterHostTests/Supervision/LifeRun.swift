import DeviceKit
import Journal

@testable import MusterHost

/// A device's machine and what is known of it, with clocks that a test moves: true time, the host's clock and the
/// device's.
struct LifeRun {
    var machine: SupervisorMachine
    var keeper: StatusKeeper
    let zone: DeviceTimeZone
    /// True time at uptime zero: 2026-01-05 08:00:00 UTC, a Monday.
    var start = Instant(secondsSince1970: 1_767_600_000)
    var uptime = Duration.zero
    /// What the host's clock is ahead of the truth.
    var hostOffset = Duration.zero
    /// What the device's clock is ahead of the truth; `nil` for one that shows no date.
    var deviceOffset: Duration? = .zero
    /// Whether the device has a clock that can be read.
    var hasClock = true
    var lastHeard = Duration.zero
    var random = SplitMix64(seed: 7)
    /// How the device answers.
    var openFault: DeviceFault?
    var pollFault: DeviceFault?
    var serial = "S1"
    var reset: SourceReset?
    var epoch = 1
    /// What the next poll brings.
    var waiting = 0
    var actions: [(uptime: Duration, action: SupervisorAction)] = []
    var events: [(uptime: Duration, event: DeviceEvent)] = []

    init(
        capturing: Bool = true, poll: String = "*/5 * * * *", clock: ClockPlan = ClockPlan(),
        zone: DeviceTimeZone = .utc,
        timers: LifecycleTimers = LifecycleTimers()
    ) throws {
        self.zone = zone
        var plan = SupervisorMachine.Plan(schedule: PollSchedule(try CronSchedule(poll)), zone: zone)
        plan.isCapturing = capturing
        plan.timers = timers
        machine = SupervisorMachine(plan)
        guard let device = DeviceID("lobby") else { preconditionFailure("a name that is none") }
        keeper = StatusKeeper(device, .init(zone: zone, clock: clock), now: start)
    }

    var truth: Instant { start + uptime }
    var now: Instant { truth + hostOffset }
    var status: DeviceStatus { keeper.status }

    /// The words of the states that the device has gone through, without repetitions of pairs.
    var states: [String] {
        events.compactMap { entry in if case .entered(let state) = entry.event { state } else { nil } }
    }

    func uptimes(of wanted: SupervisorAction) -> [Duration] { actions.filter { $0.action == wanted }.map(\.uptime) }

    /// Hands an event over and lets the device answer what the machine asks.
    mutating func handle(_ event: SupervisorEvent) {
        var pending = [event]
        while !pending.isEmpty {
            let event = pending.removeFirst()
            let moment = SupervisorMoment(now: now, uptime: uptime, lastHeard: lastHeard)
            keeper.look(now: now, uptime: uptime)
            let asked = machine.handle(event, at: moment, using: &random)
            keeper.follow(machine, event, asked, now: now)
            actions += asked.map { (uptime, $0) }
            for action in asked { pending += answer(action) }
            events += keeper.takeEvents().map { (uptime, $0) }
        }
    }

    private mutating func answer(_ action: SupervisorAction) -> [SupervisorEvent] {
        switch action {
        case .open:
            if let openFault { return [.openFailed(openFault)] }
            return [keeper.identified(DeviceIdentity(serialNumber: serial), now: now) ? .opened : .anotherAnswers]
        case .poll: return poll()
        case .refresh:
            let wantsSetting = readClock().map { keeper.clockRead($0) } ?? false
            return [.operationFinished] + (wantsSetting ? [.clockSettingWanted] : [])
        case .keepAlive: return [.operationFinished]
        case .setClock:
            deviceOffset = hostOffset
            keeper.clockSet(readClock(), newestPunch: truth)
            return [.operationFinished]
        default: return []
        }
    }

    private mutating func poll() -> [SupervisorEvent] {
        let reading = readClock()
        keeper.pollBegan(reading, now: now, uptime: uptime)
        var events: [SupervisorEvent] = []
        if let reading, keeper.clockRead(reading) { events.append(.clockSettingWanted) }
        if let pollFault {
            keeper.pollFailed(pollFault, took: .zero)
            return events + [.pollFailed(pollFault)]
        }
        if let reset { keeper.found(nil, reset, now: now) }
        var summary = PollSummary()
        summary.reset = reset?.message
        summary.isLogAnew = reset != nil
        summary.firstEpoch = epoch
        if reset != nil { epoch += 1 }
        summary.epoch = epoch
        summary.read = waiting
        summary.journaled = waiting
        waiting = 0
        reset = nil
        keeper.polled(summary, took: .zero, now: now)
        return events + [.pollFinished]
    }

    func readClock() -> ClockSample? {
        guard hasClock else { return nil }
        guard let deviceOffset else { return ClockSample(.nothing("month 13"), now: now, uptime: uptime) }
        return ClockSample(.time(zone.localTime(at: truth + deviceOffset)), now: now, uptime: uptime)
    }

    /// Moves from deadline to deadline.
    mutating func run(until end: Duration) {
        var wakes = 0
        while wakes < 1_000_000 {
            let moment = SupervisorMoment(now: now, uptime: uptime, lastHeard: lastHeard)
            guard let deadline = machine.deadline(at: moment), deadline <= end else { break }
            uptime = max(uptime, deadline)
            handle(.timePassed)
            wakes += 1
        }
        uptime = max(uptime, end)
    }
}

extension [String] {
    /// Runs of a pair of states are shown once: `a b a b a b c` becomes `a b c`.
    var withoutRepeatedPairs: [String] {
        var result: [String] = []
        for state in self {
            result.append(state)
            while result.count >= 4, Array(result.suffix(2)) == Array(result.suffix(4).prefix(2)) {
                result.removeLast(2)
            }
        }
        return result
    }
}
