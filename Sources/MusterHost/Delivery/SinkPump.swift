internal import DeviceKit
internal import Journal
internal import Synchronization

/// Moves punches from the journal to one sink, in journal order, for as long as the host runs.
///
/// The sink's position is stored after each delivery, so a kill in between delivers one batch again. The sink bounds
/// its own waits and honours cancellation; the pump puts no time limit on it.
final class SinkPump: Sendable {
    /// What a pump works with.
    struct Plan: Sendable {
        /// The sink's key under `sinks:`; its positions are stored under it.
        var name: String
        /// The devices whose punches the sink gets.
        var devices: Set<DeviceID>
        var selection = PunchSelection()
        var backoff = Backoff(base: .seconds(1), ceiling: .seconds(300))
    }

    let name: String

    /// What the pump is to work with from its next batch on.
    private let wanted: Mutex<Plan>
    private let isHalted = Mutex(false)
    private let sink: any PunchSink
    private let journal: PunchJournal
    private let board: DeviceBoard
    private let time: any TimeSource
    private let random: any RandomSource
    private let log: any DriverLog
    private let events: HostEvents
    private let redactor: Redactor
    private let stopSignal = ChangeSignal()
    private let redeliverySignal = ChangeSignal()
    private let adjustmentSignal = ChangeSignal()

    init(
        _ plan: Plan, sink: any PunchSink, journal: PunchJournal, board: DeviceBoard = DeviceBoard(),
        time: any TimeSource, random: any RandomSource, log: any DriverLog, events: HostEvents? = nil,
        redactor: Redactor = Redactor()
    ) {
        name = plan.name
        wanted = Mutex(plan)
        self.sink = sink
        self.journal = journal
        self.board = board
        self.time = time
        self.random = random
        self.log = log
        self.events = events ?? HostEvents(time: time)
        self.redactor = redactor
    }

    /// Delivers until ``stop()`` was called and the journal is delivered, or until the task is cancelled. Closes the
    /// sink before it returns. Call it once.
    /// - Throws: what the journal throws, except that it is full: then positions are stored later.
    func run() async throws(JournalError) {
        let plan = wanted.withLock { $0 }
        let stored = try await journal.sinkProgress(name)
        // What failed in an earlier life may work now.
        try? await journal.saveSinkHealth(name, failingSince: nil, lastError: nil)
        var machine = DeliveryMachine(
            DeliveryLanes(stored, devices: plan.devices), largestBatch: sink.largestBatch, backoff: plan.backoff)
        do throws(JournalError) {
            try await drive(&machine, plan)
        } catch {
            await sink.close()
            throw error
        }
        await sink.close()
    }

    /// Lets ``run()`` return once everything that stands in the journal is delivered; at once while the sink fails.
    /// To give up earlier, cancel the task that runs it.
    func stop() { stopSignal.send() }

    /// Lets ``run()`` return after the batch that is under way.
    func halt() {
        isHalted.withLock { $0 = true }
        stopSignal.send()
    }

    /// There are punches in the journal that the sink is to get again.
    func redeliver() { redeliverySignal.send() }

    /// From the next batch on the sink gets the punches of this plan. Its name stays.
    func adjust(_ plan: Plan) {
        wanted.withLock { $0 = plan }
        adjustmentSignal.send()
    }

    /// What the pump has taken notice of.
    private struct Noticed {
        var board: UInt64?
        var redeliveries: UInt64 = 0
        var adjustments: UInt64 = 0
        /// The reports that the sink has; `nil` since it was opened.
        var reports: [DeviceID: DeviceReport]?
    }

    private func drive(_ machine: inout DeliveryMachine, _ first: Plan) async throws(JournalError) {
        var plan = first
        var chance = RandomGenerator(random)
        var noticed = Noticed()
        while !Task.isCancelled {
            notice(&machine, &noticed)
            if adjustmentSignal.generation != noticed.adjustments, machine.isBetweenBatches {
                noticed.adjustments = adjustmentSignal.generation
                try await adjust(&machine, &plan, &noticed)
            }
            // Taken before the journal is read: what is committed after that ends the wait at once.
            let generation = journal.generation
            switch machine.next() {
            case .open:
                do throws(SinkFault) {
                    try await sink.open()
                    machine.opened()
                    noticed.reports = nil
                    if sink is any DeviceReportSink { machine.devicesChanged() }
                } catch {
                    machine.failed(redactor(error), using: &chance)
                }
            case .describe:
                do throws(SinkFault) {
                    try await describe(plan.devices, &noticed)
                    machine.described()
                } catch {
                    machine.failed(redactor(error), using: &chance)
                }
            case .read(let stretch, let limit):
                let page = try await journal.reader.deliverable(
                    after: stretch.after, through: stretch.through, devices: stretch.devices, limit: limit,
                    includingInvalid: plan.selection.includesInvalid)
                let selected = try await plan.selection.select(from: page.punches, journal.reader)
                machine.read(page, selected: selected, generation: generation)
            case .readRedeliveries(let limit):
                let punches = try await journal.reader.redeliverable(to: name, limit: limit)
                let selected = try await plan.selection.select(from: punches, journal.reader)
                machine.readRedeliveries(punches.map(\.position), selected: selected)
            case .deliver(let batch):
                do throws(SinkFault) {
                    machine.delivered(redactor(try await sink.deliver(batch)))
                } catch {
                    machine.failed(redactor(error), using: &chance)
                }
            case .save(let delivery):
                try await save(delivery, &machine, &chance)
            case .waitForChange(let generation):
                await waitForWork(since: generation, noticed)
                machine.woke()
            case .wait(let delay):
                await pause { [time] in try? await time.sleep(for: delay) }
                machine.woke()
            case .report(let notice):
                await report(notice)
            case .finish:
                return
            }
        }
    }

    private func adjust(
        _ machine: inout DeliveryMachine, _ plan: inout Plan, _ noticed: inout Noticed
    ) async throws(JournalError) {
        let before = plan.devices
        plan = wanted.withLock { $0 }
        let stored = try await journal.sinkProgress(name)
        machine.adjust(DeliveryLanes(stored, devices: plan.devices), backoff: plan.backoff)
        guard sink is any DeviceReportSink, plan.devices != before else { return }
        // Devices that the sink no longer has go from what it shows.
        noticed.reports = nil
        machine.devicesChanged()
    }

    private func notice(_ machine: inout DeliveryMachine, _ noticed: inout Noticed) {
        if stopSignal.generation > 0 {
            if isHalted.withLock({ $0 }) { machine.halt() } else { machine.stop() }
        }
        if redeliverySignal.generation != noticed.redeliveries {
            noticed.redeliveries = redeliverySignal.generation
            machine.redeliveriesRequested()
        }
        guard sink is any DeviceReportSink, board.generation != noticed.board else { return }
        noticed.board = board.generation
        machine.devicesChanged()
    }

    private func describe(_ devices: Set<DeviceID>, _ noticed: inout Noticed) async throws(SinkFault) {
        guard let sink = sink as? any DeviceReportSink else { return }
        let reports = board.reports(of: devices)
        let known = noticed.reports
        let changed = reports.filter { known?[$0.device] != $0 }
        if !changed.isEmpty || known == nil { try await sink.report(changed, isComplete: known == nil) }
        noticed.reports = Dictionary(reports.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private func save(
        _ delivery: SinkDelivery, _ machine: inout DeliveryMachine, _ chance: inout RandomGenerator
    ) async throws(JournalError) {
        do throws(JournalError) {
            try await journal.saveDelivery(delivery, sink: name, at: time.now())
            machine.saved()
            tell(delivery)
        } catch {
            guard error.kind == .full else { throw error }
            machine.savingFailed(using: &chance)
        }
    }

    private func tell(_ delivery: SinkDelivery) {
        if delivery.delivered > 0 { events.send(.sink(name, .delivered(delivery.delivered))) }
        if !delivery.rejected.isEmpty { events.send(.sink(name, .deadLettered(delivery.rejected))) }
    }

    /// Waits for punches, for news of the devices and for redeliveries; not longer than until ``stop()``.
    private func waitForWork(since generation: UInt64, _ noticed: Noticed) async {
        let isReporting = sink is any DeviceReportSink
        await pause { [journal, board, redeliverySignal, adjustmentSignal] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await journal.waitForChange(since: generation) }
                group.addTask { try? await redeliverySignal.wait(since: noticed.redeliveries) }
                group.addTask { try? await adjustmentSignal.wait(since: noticed.adjustments) }
                if isReporting, let seen = noticed.board {
                    group.addTask { try? await board.waitForChange(since: seen) }
                }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Waits, but not longer than until ``stop()``.
    private func pause(_ wait: @escaping @Sendable () async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await wait() }
            group.addTask { [stopSignal] in try? await stopSignal.wait(since: 0) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Once when deliveries begin to fail, once when they work again; in the journal for `muster status`.
    private func report(_ notice: DeliveryMachine.Notice) async {
        let now = time.now()
        switch notice {
        case .failing(let fault):
            events.send(.sink(name, .failing(fault)))
            log.warning("the sink fails: punches wait in the journal", ["sink": name, "reason": fault.message])
            try? await journal.saveSinkHealth(name, failingSince: now, lastError: fault.message)
        case .recovered(let failures):
            events.send(.sink(name, .recovered(failures: failures)))
            log.info("the sink works again", ["sink": name, "failures": "\(failures)"])
            try? await journal.saveSinkHealth(name, failingSince: nil, lastError: nil)
        }
    }
}
