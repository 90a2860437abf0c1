public import DeviceKit
public import Journal

/// Moves punches from the journal to one sink, in journal order, for as long as the host runs.
///
/// The sink's position is stored after each delivery, so a kill in between delivers one batch again. The sink bounds
/// its own waits and honours cancellation; the pump puts no time limit on it.
public final class SinkPump: Sendable {
    public let name: String

    private let sink: any PunchSink
    private let devices: Set<DeviceID>
    private let journal: PunchJournal
    private let time: any TimeSource
    private let random: any RandomSource
    private let log: any DriverLog
    private let stopSignal = ChangeSignal()

    /// - Parameters:
    ///   - name: the sink's key under `sinks:`; its positions are stored under it.
    ///   - devices: the devices that list the sink.
    public init(
        name: String, sink: any PunchSink, devices: Set<DeviceID>, journal: PunchJournal, time: any TimeSource,
        random: any RandomSource, log: any DriverLog
    ) {
        self.name = name
        self.sink = sink
        self.devices = devices
        self.journal = journal
        self.time = time
        self.random = random
        self.log = log
    }

    /// Delivers until ``stop()`` was called and the journal is delivered, or until the task is cancelled. Closes the
    /// sink before it returns. Call it once.
    /// - Throws: what the journal throws, except that it is full: then positions are stored later.
    public func run() async throws(JournalError) {
        let stored = try await journal.sinkProgress(name)
        // What failed in an earlier life may work now.
        try? await journal.saveSinkHealth(name, failingSince: nil, lastError: nil)
        var machine = DeliveryMachine(DeliveryLanes(stored, devices: devices))
        do throws(JournalError) {
            try await drive(&machine)
        } catch {
            await sink.close()
            throw error
        }
        await sink.close()
    }

    /// Lets ``run()`` return once everything that stands in the journal is delivered; at once while the sink fails.
    /// To give up earlier, cancel the task that runs it.
    public func stop() { stopSignal.send() }

    private func drive(_ machine: inout DeliveryMachine) async throws(JournalError) {
        var chance = RandomGenerator(random)
        while !Task.isCancelled {
            if stopSignal.generation > 0 { machine.stop() }
            // Taken before the journal is read: what is committed after that ends the wait at once.
            let generation = journal.generation
            switch machine.next() {
            case .open:
                do throws(SinkFault) {
                    try await sink.open()
                    machine.opened()
                } catch {
                    machine.failed(error, using: &chance)
                }
            case .read(let stretch, let limit):
                machine.read(
                    try await journal.reader.deliverable(
                        after: stretch.after, through: stretch.through, devices: stretch.devices, limit: limit),
                    generation: generation)
            case .deliver(let batch):
                do throws(SinkFault) {
                    machine.delivered(try await sink.deliver(batch))
                } catch {
                    machine.failed(error, using: &chance)
                }
            case .save(let delivery):
                try await save(delivery, &machine, &chance)
            case .waitForChange(let generation):
                await pause { [journal] in try? await journal.waitForChange(since: generation) }
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

    private func save(
        _ delivery: SinkDelivery, _ machine: inout DeliveryMachine, _ chance: inout RandomGenerator
    ) async throws(JournalError) {
        do throws(JournalError) {
            try await journal.saveDelivery(delivery, sink: name, at: time.now())
            machine.saved()
        } catch {
            guard error.kind == .full else { throw error }
            machine.savingFailed(using: &chance)
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
            log.warning("the sink fails: punches wait in the journal", ["sink": name, "reason": fault.message])
            try? await journal.saveSinkHealth(name, failingSince: now, lastError: fault.message)
        case .recovered(let failures):
            log.info("the sink works again", ["sink": name, "failures": "\(failures)"])
            try? await journal.saveSinkHealth(name, failingSince: nil, lastError: nil)
        }
    }
}
