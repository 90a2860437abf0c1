internal import DeviceKit
internal import Journal

/// Decides what a sink's pump does next: open, read, deliver, store the position, wait. Performs nothing.
struct DeliveryMachine: Sendable {
    enum State: Sendable, Equatable {
        /// The sink is not open: at the start and after a fault.
        case closed
        /// The next stretch of the journal is wanted.
        case reading
        /// A page was read and is not delivered yet.
        case delivering(DeliveryLanes.Stretch, DeliverablePage)
        /// Delivered; the position is not stored yet. A kill here delivers the page again.
        case saving(SinkDelivery)
        /// Everything that was committed up to the journal's `generation` is delivered.
        case caughtUp(generation: UInt64)
        /// The sink failed; then ``closed``.
        case backingOff(Duration)
        /// The journal has no room for the position; then ``saving(_:)`` again.
        case outOfRoom(SinkDelivery, Duration)
        /// For good: stopped.
        case finished
    }

    enum Action: Sendable, Equatable {
        case open
        case read(DeliveryLanes.Stretch, limit: Int)
        case deliver([JournaledPunch])
        case save(SinkDelivery)
        case waitForChange(since: UInt64)
        case wait(Duration)
        case report(Notice)
        case finish
    }

    /// What an operator should know: once when a sink goes away and once when it is back.
    enum Notice: Sendable, Equatable {
        case failing(SinkFault)
        case recovered(failures: Int)
    }

    static let largestBatch = 1_000
    static let firstBatch = 250

    private(set) var state = State.closed
    private var lanes: DeliveryLanes
    private var batchLimit = Self.firstBatch
    private var backoff = Backoff(base: .seconds(1), ceiling: .seconds(300))
    private var failures = 0
    private var notice: Notice?
    private var isStopping = false

    init(_ lanes: DeliveryLanes) { self.lanes = lanes }

    /// What to do now. Ask again after every event.
    mutating func next() -> Action {
        if let pending = notice {
            notice = nil
            return .report(pending)
        }
        switch state {
        case .closed: return .open
        case .reading: return .read(lanes.next, limit: batchLimit)
        case .delivering(_, let page): return .deliver(page.punches)
        case .saving(let delivery): return .save(delivery)
        case .caughtUp(let generation): return isStopping ? finish() : .waitForChange(since: generation)
        case .backingOff(let delay), .outOfRoom(_, let delay): return isStopping ? finish() : .wait(delay)
        case .finished: return .finish
        }
    }

    mutating func opened() {
        guard state == .closed else { return }
        state = .reading
    }

    /// - Parameter generation: the journal's, from before the page was read.
    mutating func read(_ page: DeliverablePage, generation: UInt64) {
        guard state == .reading else { return }
        let stretch = lanes.next
        guard page.punches.isEmpty else {
            state = .delivering(stretch, page)
            return
        }
        noteSuccess()
        lanes.serve(stretch, to: page.scannedTo)
        if lanes.isWorthSaving {
            state = .saving(lanes.takeChanges(delivered: 0, rejected: []))
        } else {
            state = stretch.through == nil ? .caughtUp(generation: generation) : .reading
        }
    }

    mutating func delivered(_ delivery: Delivery) {
        guard case .delivering(let stretch, let page) = state else { return }
        noteSuccess()
        if page.punches.count >= batchLimit { batchLimit = min(batchLimit * 2, Self.largestBatch) }
        // A sink that refuses what it was not given must not end in a dead letter without a punch.
        let positions = Set(page.punches.map(\.position))
        let rejected = delivery.rejected.filter { positions.contains($0.position) }
        lanes.serve(stretch, to: page.scannedTo)
        state = .saving(
            lanes.takeChanges(
                delivered: page.punches.count - Set(rejected.map(\.position)).count, rejected: rejected))
    }

    mutating func saved() {
        guard case .saving = state else { return }
        state = .reading
    }

    /// The journal's disk is full. The page is delivered, so only the position is tried again.
    mutating func savingFailed(using random: inout some RandomNumberGenerator) {
        guard case .saving(let delivery) = state else { return }
        state = .outOfRoom(delivery, backoff.next(using: &random))
    }

    /// Opening or delivering failed. The next attempt comes with a smaller batch, after a longer wait.
    mutating func failed(_ fault: SinkFault, using random: inout some RandomNumberGenerator) {
        switch state {
        case .closed, .delivering: break
        case .reading, .saving, .caughtUp, .backingOff, .outOfRoom, .finished: return
        }
        failures += 1
        if failures == 1 { notice = .failing(fault) }
        batchLimit = max(batchLimit / 2, 1)
        let delay = backoff.next(using: &random)
        // Only new settings help, or an operator's hand at the target: look again now and then.
        state = .backingOff(fault.kind == .permanent ? backoff.ceiling : delay)
    }

    /// A wait is over.
    mutating func woke() {
        switch state {
        case .caughtUp: state = .reading
        case .backingOff: state = .closed
        case .outOfRoom(let delivery, _): state = .saving(delivery)
        case .closed, .reading, .delivering, .saving, .finished: break
        }
    }

    /// Deliver what can be delivered without waiting, then finish.
    mutating func stop() { isStopping = true }

    private mutating func finish() -> Action {
        state = .finished
        return .finish
    }

    private mutating func noteSuccess() {
        if failures > 0 { notice = .recovered(failures: failures) }
        failures = 0
        backoff.reset()
    }
}
