public import DeviceKit
internal import Synchronization

/// Stands for the journal at the end of a capture: keeps every batch, and can be slow or failing on order.
public final class RecordingReceiver: PunchReceiver {
    private struct State {
        var isHolding = false
        var failure: DeviceFault?
        var hasSubscribed = false
        var arrived: [CaptureBatch] = []
        var durable: [CaptureBatch] = []
        var nextID: UInt64 = 0
        var held: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        var cancelled: Set<UInt64> = []
        var watchers: [Watcher] = []
    }

    private struct Watcher {
        let isSatisfied: @Sendable (borrowing State) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    private let state = Mutex(State())
    private let trace: Trace

    public init(trace: Trace = Trace()) { self.trace = trace }

    // MARK: What the driver calls

    public func subscribed() async {
        trace.note(.subscribed)
        update { $0.hasSubscribed = true }
    }

    public func receive(_ batch: CaptureBatch) async throws(DeviceFault) {
        trace.note(.receiveBegan(batch.records.count))
        let (id, failure) = update { state in
            state.arrived.append(batch)
            state.nextID += 1
            return (state.nextID, state.failure)
        }
        var fault = failure
        if fault == nil, await !waitWhileHeld(id) { fault = .cancelled }
        if let fault {
            trace.note(.receiveFailed(batch.records.count))
            throw fault
        }
        // Noted before the driver can go on, so that whatever it does next stands behind it in the trace.
        trace.note(.receiveReturned(batch.records.count))
        update { $0.durable.append(batch) }
    }

    // MARK: What the test calls

    /// From now on `receive` waits, until ``release()``.
    public func hold() { update { $0.isHolding = true } }

    /// Lets every waiting `receive` return, and the ones to come.
    public func release() {
        let waiting = update { state in
            state.isHolding = false
            defer { state.held.removeAll() }
            return state.held.sorted { $0.key < $1.key }.map(\.value)
        }
        for continuation in waiting { continuation.resume(returning: true) }
    }

    /// From now on `receive` throws `fault`; `nil` makes it work again.
    public func fail(with fault: DeviceFault?) { update { $0.failure = fault } }

    /// Batches that reached us, durable or not, in order.
    public var arrived: [CaptureBatch] { state.withLock { $0.arrived } }
    /// Batches for which `receive` returned, in order.
    public var durable: [CaptureBatch] { state.withLock { $0.durable } }
    /// The records of ``durable``, in order.
    public var durableRecords: [PunchRecord] { durable.flatMap(\.records) }
    public var hasSubscribed: Bool { state.withLock { $0.hasSubscribed } }

    /// Returns once the driver has subscribed. Waits for ever when it does not: give the test a time limit.
    public func waitForSubscription() async { await wait { $0.hasSubscribed } }

    /// Returns once at least `count` records reached us, durable or not.
    public func waitForArrival(ofRecords count: Int) async {
        await wait { $0.arrived.reduce(0) { $0 + $1.records.count } >= count }
    }

    /// Returns once at least `count` records are durable.
    public func waitForDurable(records count: Int) async {
        await wait { $0.durable.reduce(0) { $0 + $1.records.count } >= count }
    }

    // MARK: Inside

    @discardableResult
    private func update<Value: Sendable>(_ change: @Sendable (inout State) -> Value) -> Value {
        let (value, satisfied) = state.withLock { state in
            let value = change(&state)
            var satisfied: [Watcher] = []
            var unsatisfied: [Watcher] = []
            for watcher in state.watchers {
                if watcher.isSatisfied(state) { satisfied.append(watcher) } else { unsatisfied.append(watcher) }
            }
            state.watchers = unsatisfied
            return (value, satisfied)
        }
        for watcher in satisfied { watcher.continuation.resume() }
        return value
    }

    private func wait(until isSatisfied: @escaping @Sendable (borrowing State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if isSatisfied(state) { return true }
                state.watchers.append(Watcher(isSatisfied: isSatisfied, continuation: continuation))
                return false
            }
            if ready { continuation.resume() }
        }
    }

    /// False when the task was cancelled while it waited.
    private func waitWhileHeld(_ id: UInt64) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    guard state.isHolding else { return true }
                    state.held[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                let waiting = state.held.removeValue(forKey: id)
                if waiting == nil { state.cancelled.insert(id) }
                return waiting
            }
            waiting?.resume(returning: false)
        }
    }
}
