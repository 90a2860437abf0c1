internal import DeviceKit
internal import Journal

/// Decides what a sink's pump does next: open, read, deliver, store the position, wait. Performs nothing.
///
/// A sink that fails is left alone for ever longer, and then tried with ever smaller batches: the first one that it
/// takes opens the way again.
struct DeliveryMachine: Sendable {
    enum State: Sendable, Equatable {
        /// The sink is not open: at the start and after a fault.
        case closed
        /// The sink is open; news of devices, punches to be delivered again or the next stretch of the journal are
        /// wanted, in this order.
        case ready
        /// Punches were read and are not delivered yet.
        case delivering(Batch)
        /// Delivered; the position is not stored yet. A kill here delivers the batch again.
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

    /// What is delivered at once.
    struct Batch: Sendable, Equatable {
        enum Origin: Sendable, Equatable {
            case stretch(DeliveryLanes.Stretch, scannedTo: Int64)
            /// These positions are settled with the batch, also those that the sink's selection leaves out.
            case redelivery([Int64])
        }

        var origin: Origin
        var punches: [JournaledPunch]
    }

    enum Action: Sendable, Equatable {
        case open
        /// Tell the sink what is new of its devices.
        case describe
        case read(DeliveryLanes.Stretch, limit: Int)
        case readRedeliveries(limit: Int)
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

    static let firstBatch = 250

    private(set) var state = State.closed
    private var lanes: DeliveryLanes
    private let largestBatch: Int
    private var batchLimit: Int
    private var backoff: Backoff
    private var failures = 0
    private var notice: Notice?
    private var isStopping = false
    private var isHalting = false
    private var hasNews = false
    /// A stretch was read since the last news: devices that change all the time do not hold up punches.
    private var isNewsTurn = true
    private var hasRedeliveries = true
    /// A stretch was served since the last redelivery: the two take turns, so that neither starves.
    private var isRedeliveryTurn = true

    init(
        _ lanes: DeliveryLanes, largestBatch: Int = 1_000,
        backoff: Backoff = Backoff(base: .seconds(1), ceiling: .seconds(300))
    ) {
        self.lanes = lanes
        self.largestBatch = max(largestBatch, 1)
        self.backoff = backoff
        batchLimit = min(Self.firstBatch, self.largestBatch)
    }

    /// What to do now. Ask again after every event.
    mutating func next() -> Action {
        if let pending = notice {
            notice = nil
            return .report(pending)
        }
        if isHalting, isBetweenBatches { return finish() }
        switch state {
        case .closed: return .open
        case .ready:
            if hasNews, isNewsTurn { return .describe }
            if hasRedeliveries, isRedeliveryTurn { return .readRedeliveries(limit: batchLimit) }
            return .read(lanes.next, limit: batchLimit)
        case .delivering(let batch): return .deliver(batch.punches)
        case .saving(let delivery): return .save(delivery)
        case .caughtUp(let generation): return isStopping ? finish() : .waitForChange(since: generation)
        case .backingOff(let delay), .outOfRoom(_, let delay):
            return isStopping || isHalting ? finish() : .wait(delay)
        case .finished: return .finish
        }
    }

    mutating func opened() {
        guard state == .closed else { return }
        state = .ready
    }

    /// Something changed at the sink's devices.
    mutating func devicesChanged() {
        hasNews = true
        if case .caughtUp = state { state = .ready }
    }

    mutating func described() {
        hasNews = false
        isNewsTurn = false
    }

    /// Somebody asked for punches to be delivered again.
    mutating func redeliveriesRequested() {
        hasRedeliveries = true
        if case .caughtUp = state { state = .ready }
    }

    /// - Parameters:
    ///   - page: what the journal has.
    ///   - punches: those of the page that the sink wants, in order.
    ///   - generation: the journal's, from before the page was read.
    mutating func read(_ page: DeliverablePage, selected punches: [JournaledPunch], generation: UInt64) {
        guard state == .ready else { return }
        let stretch = lanes.next
        isRedeliveryTurn = true
        isNewsTurn = true
        guard punches.isEmpty else {
            state = .delivering(Batch(origin: .stretch(stretch, scannedTo: page.scannedTo), punches: punches))
            return
        }
        if page.punches.isEmpty { noteSuccess() }
        lanes.serve(stretch, to: page.scannedTo)
        if lanes.isWorthSaving {
            state = .saving(lanes.takeChanges(delivered: 0, rejected: []))
        } else if stretch.through == nil, !page.isCut, !hasRedeliveries, !hasNews {
            state = .caughtUp(generation: generation)
        }
    }

    /// - Parameters:
    ///   - positions: what is to be delivered again; empty when there is nothing more.
    ///   - punches: those of them that the sink wants.
    mutating func readRedeliveries(_ positions: [Int64], selected punches: [JournaledPunch]) {
        guard state == .ready else { return }
        isRedeliveryTurn = false
        guard !positions.isEmpty else {
            hasRedeliveries = false
            return
        }
        let batch = Batch(origin: .redelivery(positions), punches: punches)
        state = punches.isEmpty ? .saving(settlement(batch, rejected: [])) : .delivering(batch)
    }

    mutating func delivered(_ delivery: Delivery) {
        guard case .delivering(let batch) = state else { return }
        noteSuccess()
        if batch.punches.count >= batchLimit { batchLimit = min(batchLimit * 2, largestBatch) }
        // A sink that refuses what it was not given must not end in a dead letter without a punch.
        let positions = Set(batch.punches.map(\.position))
        state = .saving(settlement(batch, rejected: delivery.rejected.filter { positions.contains($0.position) }))
    }

    private mutating func settlement(_ batch: Batch, rejected: [Delivery.Rejection]) -> SinkDelivery {
        if case .stretch(let stretch, let scannedTo) = batch.origin { lanes.serve(stretch, to: scannedTo) }
        var settlement = lanes.takeChanges(
            delivered: batch.punches.count - Set(rejected.map(\.position)).count, rejected: rejected)
        if case .redelivery(let positions) = batch.origin { settlement.redelivered = positions }
        return settlement
    }

    mutating func saved() {
        guard case .saving = state else { return }
        state = .ready
    }

    /// The journal's disk is full. The batch is delivered, so only the position is tried again.
    mutating func savingFailed(using random: inout some RandomNumberGenerator) {
        guard case .saving(let delivery) = state else { return }
        state = .outOfRoom(delivery, backoff.next(using: &random))
    }

    /// Opening, describing or delivering failed. The next attempt comes with a smaller batch, after a longer wait.
    mutating func failed(_ fault: SinkFault, using random: inout some RandomNumberGenerator) {
        switch state {
        case .closed, .delivering: break
        case .ready: guard hasNews else { return }
        case .saving, .caughtUp, .backingOff, .outOfRoom, .finished: return
        }
        failures += 1
        if failures == 1 { notice = .failing(fault) }
        batchLimit = max(batchLimit / 2, 1)
        let delay = backoff.next(using: &random)
        // Only new settings help, or an operator's hand at the target: look again now and then.
        let wait = fault.kind == .permanent ? backoff.ceiling : delay
        state = .backingOff(max(wait, fault.retryAfter ?? .zero))
    }

    /// A wait is over.
    mutating func woke() {
        switch state {
        case .caughtUp: state = .ready
        case .backingOff: state = .closed
        case .outOfRoom(let delivery, _): state = .saving(delivery)
        case .closed, .ready, .delivering, .saving, .finished: break
        }
    }

    /// Deliver what can be delivered without waiting, then finish.
    mutating func stop() { isStopping = true }

    /// Finish what is under way, and nothing more.
    mutating func halt() { isHalting = true }

    /// Nothing is under way: what the sink gets may be changed.
    var isBetweenBatches: Bool {
        switch state {
        case .closed, .ready, .caughtUp, .backingOff: true
        case .delivering, .saving, .outOfRoom, .finished: false
        }
    }

    /// From now on the sink gets other devices, or waits differently after a failure.
    /// - Parameter lanes: from what is stored now.
    mutating func adjust(_ lanes: DeliveryLanes, backoff: Backoff) {
        guard isBetweenBatches else { return }
        self.lanes = lanes
        // The waits of a failing sink go on growing unless they were changed.
        if backoff.base != self.backoff.base || backoff.ceiling != self.backoff.ceiling { self.backoff = backoff }
        if case .caughtUp = state { state = .ready }
    }

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
