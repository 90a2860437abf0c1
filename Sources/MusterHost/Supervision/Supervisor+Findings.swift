internal import DeviceKit
internal import Journal
internal import Logging

// What a session finds out: into the status, to the machine where it must act, and into the log.
extension Supervisor {
    func receive(_ report: SessionRunner.Report, _ group: inout DiscardingTaskGroup) async {
        switch report {
        case .event(let event): await handle(event, &group)
        case .identified(let identity): await identified(identity, &group)
        case .found(let inventory, let reset): found(inventory, reset)
        case .pollBegan(let reading, let now, let uptime):
            keeper.pollBegan(reading, now: now, uptime: uptime)
            if let reading { await clockRead(reading, &group) }
        case .clock(let reading): await clockRead(reading, &group)
        case .clockSet(let reading, let newestPunch): clockSet(reading, newestPunch)
        case .clockSettingFailed(let fault):
            keeper.clockSettingFailed(uptime: services.time.uptime())
            log.warning("the device's clock cannot be set", metadata: ["error": "\(fault)"])
        case .polled(let outcome, let took): await polled(outcome, took)
        }
    }

    private func identified(_ identity: DeviceIdentity, _ group: inout DiscardingTaskGroup) async {
        let expected = keeper.status.acceptedSerial
        let wasHeld = keeper.status.heldSerial
        // What is trusted is durable before anything is taken from it.
        guard !keeper.identified(identity, now: services.time.now()) else { return await publish() }
        if wasHeld != keeper.status.heldSerial {
            log.error(
                "ADMIN ALERT another device answers at this address: nothing is taken from it until it is accepted",
                metadata: ["serial": "\(identity.serialNumber ?? "")", "expected": "\(expected ?? "")"])
        }
        requests.fail(keeper.heldFault)
        await handle(.anotherAnswers, &group)
    }

    private func found(_ inventory: LogInventory?, _ reset: SourceReset?) {
        keeper.found(inventory, reset, now: services.time.now())
        guard let reset else { return }
        if reset.reason == .logCleared {
            log.notice("the device's log was cleared, as it was asked for")
            return
        }
        log.warning("the device's log begins anew: reading all of it", metadata: ["reason": "\(reset.message)"])
    }

    private func clockRead(_ reading: ClockSample, _ group: inout DiscardingTaskGroup) async {
        let before = keeper.status.conditions
        let wantsSetting = keeper.clockRead(reading)
        for code in [DeviceCondition.Code.clockOff, .clockUnreadable] where before[code] == nil {
            guard let condition = keeper.status.conditions[code] else { continue }
            log.warning("the device's clock is off", metadata: ["reason": "\(condition.message)"])
        }
        if wantsSetting { await handle(.clockSettingWanted, &group) }
    }

    private func clockSet(_ reading: ClockSample, _ newestPunch: Instant?) {
        let before = keeper.status.clockDrift
        keeper.clockSet(reading, newestPunch: newestPunch)
        log.notice(
            "the device's clock was set",
            metadata: ["was ahead by": "\(before.map { "\($0.components.seconds) s" } ?? "unknown")"])
        guard let condition = keeper.status.conditions[.clockSetBack] else { return }
        log.warning("the clock went back past punches", metadata: ["reason": "\(condition.message)"])
    }

    private func polled(_ outcome: Result<PollSummary, DeviceFault>, _ took: Duration) async {
        switch outcome {
        case .success(let summary):
            keeper.polled(summary, took: took, now: services.time.now())
            log.debug(
                "poll finished",
                metadata: [
                    "read": "\(summary.read)", "new": "\(summary.journaled)", "duplicates": "\(summary.duplicates)",
                ])
        case .failure(let fault): keeper.pollFailed(fault, took: took)
        }
        // Who asked finds in the journal what the poll has changed.
        await publish()
        requests.polled(outcome)
    }
}
