internal import DeviceKit
internal import ZKTecoWire

// Faults on order and by a script.
extension EmulatorMachine {
    /// Does what is due by the script, and ends what has lasted its time.
    mutating func advanceFaults(at moment: EmulatorMoment) -> [EmulatorEffect] {
        var effects: [EmulatorEffect] = []
        foldDrift(at: moment)
        for change in faults.advance(to: moment.uptime) {
            switch change {
            case .ended(let fault): effects.append(.observe(.faultEnded(fault)))
            case .switchedOn: effects.append(.observe(.switchedOn))
            case .begin(let step): effects += begin(step.fault, for: step.lasting, at: moment)
            }
        }
        return effects
    }

    /// Something goes wrong now.
    mutating func begin(
        _ fault: EmulatorFault, for lasting: Duration?, at moment: EmulatorMoment
    ) -> [EmulatorEffect] {
        let seen = EmulatorEffect.observe(.faultBegan(fault))
        if fault.lasts {
            foldDrift(at: moment)
            faults.begin(fault, until: lasting.map { moment.uptime + $0 })
            return [seen]
        }
        return [seen] + perform(fault, at: moment)
    }

    /// Ends the faults of a kind, or all that last.
    mutating func endFaults(_ word: String?, at moment: EmulatorMoment) -> [EmulatorEffect] {
        foldDrift(at: moment)
        return faults.end(word).map { .observe(.faultEnded($0)) }
    }

    private mutating func perform(_ fault: EmulatorFault, at moment: EmulatorMoment) -> [EmulatorEffect] {
        switch fault {
        case .drop: return closeAll()
        case .restart(let time): return switchOff(for: time, at: moment)
        case .restartCleared(let time): return switchOff(for: time, at: moment) + clearLog()
        case .clearLog: return clearLog()
        case .clockJump(let seconds): clockOffset += seconds
        case .serial(let serial):
            settings["~SerialNumber"] = serial
            // A terminal is replaced with its cable.
            return closeAll()
        case .burst(let count): return burst(count, overwriting: false, at: moment)
        case .overflow(let count):
            return burst(max(recordCapacity - log.count, 0) + count, overwriting: true, at: moment)
        case .capacity(let count): recordCapacity = max(count, log.count)
        case .rate(let rate): return [.setRate(rate)]
        case .refuseConnections, .mute, .wrongChecksum, .split, .coalesce, .delay, .refuseKey, .oneConnection,
            .refuseBuffer, .wrongCounters, .clockDrift:
            break
        }
        return []
    }

    func closeAll() -> [EmulatorEffect] { connections.keys.sorted().map { .close($0) } }

    private mutating func switchOff(for time: Duration, at moment: EmulatorMoment) -> [EmulatorEffect] {
        faults.switchOff(until: moment.uptime + time)
        return closeAll()
    }

    private mutating func clearLog() -> [EmulatorEffect] {
        let count = log.count
        log = RecordLog(recordByteCount: layout.byteCount)
        return [.forgetLog(count), .observe(.logCleared)]
    }

    /// Takes what the clock has gained into its offset, before the drift may change.
    private mutating func foldDrift(at moment: EmulatorMoment) {
        let gained = drift(at: moment)
        clockOffset += gained
        // What is less than a second goes on to count.
        driftSince = gained == 0 && faults.clockDrift != 0 ? driftSince : moment.uptime
    }

    /// Seconds that the clock has gained since ``driftSince``.
    func drift(at moment: EmulatorMoment) -> Int64 {
        guard faults.clockDrift != 0 else { return 0 }
        let hours = (moment.uptime - driftSince) / .seconds(3_600)
        return Int64(hours * Double(faults.clockDrift))
    }

    /// Damages every n-th frame where that is the fault.
    mutating func damaging(_ effects: [EmulatorEffect]) -> [EmulatorEffect] {
        effects.flatMap { effect -> [EmulatorEffect] in
            guard case .send(let id, let packet, let flow) = effect, faults.damagesNextFrame() else { return [effect] }
            return [.observe(.frameDamaged(connection: id)), .sendDamaged(id, packet, flow)]
        }
    }
}
