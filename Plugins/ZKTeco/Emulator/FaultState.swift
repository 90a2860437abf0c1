internal import DeviceKit

/// The faults of a terminal that last now, and the script that brings more. Pure.
struct FaultState: Sendable, Equatable {
    private struct Active: Sendable, Equatable {
        let fault: EmulatorFault
        /// `nil`: until it is ended.
        let until: Duration?
    }

    private var active: [Active] = []
    /// Switched off until this uptime.
    private(set) var offUntil: Duration?
    private var script: FaultScript?
    /// The uptime at which this round of the script began.
    private var roundStart: Duration
    private var nextStep = 0
    private var frameCount = 0

    init(_ script: FaultScript?, at uptime: Duration) {
        self.script = script
        roundStart = uptime
    }

    // MARK: What holds now

    func has(_ fault: EmulatorFault) -> Bool { active.contains { $0.fault == fault } }

    var isOff: Bool { offUntil != nil }
    var isSilent: Bool { isOff || has(.mute) }
    var refusesConnections: Bool { isOff || has(.refuseConnections) }

    private func last<Value>(_ value: (EmulatorFault) -> Value?) -> Value? {
        for entry in active.reversed() {
            if let found = value(entry.fault) { return found }
        }
        return nil
    }

    var splitByteCount: Int? { last { if case .split(let count) = $0 { count } else { nil } } }
    var delay: Duration { last { if case .delay(let time) = $0 { time } else { nil } } ?? .zero }
    var counterError: Int { last { if case .wrongCounters(let count) = $0 { count } else { nil } } ?? 0 }
    /// Seconds an hour.
    var clockDrift: Int64 { last { if case .clockDrift(let seconds) = $0 { seconds } else { nil } } ?? 0 }
    private var damagedEvery: Int? { last { if case .wrongChecksum(let every) = $0 { every } else { nil } } }

    /// Counts a frame that is sent.
    /// - Returns: whether it is to be damaged.
    mutating func damagesNextFrame() -> Bool {
        guard let damagedEvery else {
            frameCount = 0
            return false
        }
        frameCount += 1
        return frameCount % max(damagedEvery, 1) == 0
    }

    // MARK: Coming and going

    /// One that lasts begins, in the place of one of the same kind.
    mutating func begin(_ fault: EmulatorFault, until: Duration?) {
        active.removeAll { $0.fault.word == fault.word }
        active.append(Active(fault: fault, until: until))
    }

    /// Nothing more comes by the script.
    mutating func stopScript() { script = nil }

    mutating func switchOff(until: Duration) { offUntil = until }

    /// Ends the faults of this kind, or with `nil` all that last.
    /// - Returns: those that ended.
    mutating func end(_ word: String?) -> [EmulatorFault] {
        let ended = active.map(\.fault).filter { word == nil || $0.word == word }
        active.removeAll { word == nil || $0.fault.word == word }
        return ended
    }

    /// The uptime at which ``advance(to:)`` has something to do.
    var deadline: Duration? {
        let steps = script.flatMap { script -> Duration? in
            if script.steps.indices.contains(nextStep) { return roundStart + script.steps[nextStep].at }
            return script.period.map { roundStart + $0 }
        }
        return (active.map(\.until) + [offUntil, steps]).compactMap { $0 }.min()
    }

    enum Change: Sendable, Equatable {
        case ended(EmulatorFault)
        case switchedOn
        case begin(FaultScript.Step)
    }

    /// What is due, in the order of time; ends before beginnings.
    mutating func advance(to uptime: Duration) -> [Change] {
        var changes: [Change] = []
        if let off = offUntil, off <= uptime {
            offUntil = nil
            changes.append(.switchedOn)
        }
        changes += active.filter { $0.until.map { $0 <= uptime } ?? false }.map { .ended($0.fault) }
        active.removeAll { $0.until.map { $0 <= uptime } ?? false }
        guard let script else { return changes }
        while true {
            while script.steps.indices.contains(nextStep), roundStart + script.steps[nextStep].at <= uptime {
                changes.append(.begin(script.steps[nextStep]))
                nextStep += 1
            }
            guard let period = script.period, nextStep == script.steps.count, roundStart + period <= uptime else {
                return changes
            }
            roundStart += period
            nextStep = 0
            // What had no end of its own ends with the round.
            changes += active.filter { $0.until == nil }.map { .ended($0.fault) }
            active.removeAll { $0.until == nil }
            // After a long pause of the machine the missed rounds are not made up for.
            if roundStart + period <= uptime { roundStart = uptime }
        }
    }
}
