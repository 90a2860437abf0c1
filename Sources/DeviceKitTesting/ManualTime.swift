public import DeviceKit
internal import Synchronization

/// Time that stands still until a test moves it.
///
/// Sleepers wake in the order of their deadlines, and in the order of their calls where deadlines are equal. A task
/// that sleeps again while time moves sleeps from the new time on: move in steps where each step matters.
public final class ManualTime: TimeSource {
    private struct Sleeper {
        let id: UInt64
        let deadline: Duration
        /// Resumed with `false` when the sleep was cancelled.
        let continuation: CheckedContinuation<Bool, Never>
    }

    /// Waits until so many sleep.
    private struct Watcher {
        let id: UInt64
        let count: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var wall: Instant
        var uptime: Duration = .zero
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        /// Cancelled between the call and the registration.
        var cancelled: Set<UInt64> = []
        var watchers: [Watcher] = []
    }

    private let state: Mutex<State>

    /// - Parameter start: what the wall clock shows at first; 2026-01-05 08:00:00 UTC, a Monday, unless given.
    public init(start: Instant = Instant(secondsSince1970: 1_767_600_000)) {
        state = Mutex(State(wall: start))
    }

    public func now() -> Instant { state.withLock { $0.wall } }

    public func uptime() -> Duration { state.withLock { $0.uptime } }

    public func sleep(for duration: Duration) async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        guard duration > .zero else { return }
        let id = nextID()
        let woke = await withTaskCancellationHandler {
            await withCheckedContinuation { register(id, after: duration, $0) }
        } onCancel: {
            cancel(id)
        }
        if !woke { throw CancellationError() }
    }

    /// Moves wall time and uptime forward and wakes every sleeper whose deadline has come.
    public func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.wall = state.wall + duration
            state.uptime += duration
            let due = state.sleepers.filter { $0.deadline <= state.uptime }.sorted(by: Self.wakesEarlier)
            state.sleepers.removeAll { $0.deadline <= state.uptime }
            return due
        }
        for sleeper in due { sleeper.continuation.resume(returning: true) }
    }

    /// Moves only the wall clock, as an operator or a time server does; nobody wakes.
    public func jumpWallClock(by duration: Duration) {
        state.withLock { $0.wall = $0.wall + duration }
    }

    /// How many tasks sleep now.
    public var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    /// How long until the first sleeper wakes; `nil` when nobody sleeps.
    public var timeToNextWake: Duration? {
        state.withLock { state in state.sleepers.map(\.deadline).min().map { $0 - state.uptime } }
    }

    /// Returns once at least `count` tasks sleep, or when the task is cancelled. Give the test a time limit: it waits for
    /// ever when they do not.
    public func waitForSleepers(_ count: Int) async {
        let id = nextID()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    if Task.isCancelled || state.sleepers.count >= count { return true }
                    state.watchers.append(Watcher(id: id, count: count, continuation: continuation))
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            let watcher = state.withLock { state in
                state.watchers.firstIndex { $0.id == id }.map { state.watchers.remove(at: $0) }
            }
            watcher?.continuation.resume()
        }
    }

    /// Waits until somebody sleeps, moves to the first deadline and returns how far that was; 0 when the task is cancelled.
    @discardableResult
    public func advanceToNextWake() async -> Duration {
        while !Task.isCancelled {
            await waitForSleepers(1)
            guard let step = timeToNextWake else { continue }
            advance(by: step)
            return step
        }
        return .zero
    }

    private func nextID() -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    private static func wakesEarlier(_ left: Sleeper, _ right: Sleeper) -> Bool {
        left.deadline == right.deadline ? left.id < right.id : left.deadline < right.deadline
    }

    private func register(_ id: UInt64, after duration: Duration, _ continuation: CheckedContinuation<Bool, Never>) {
        let (wasCancelled, satisfied) = state.withLock { state in
            if state.cancelled.remove(id) != nil { return (true, [CheckedContinuation<Void, Never>]()) }
            state.sleepers.append(Sleeper(id: id, deadline: state.uptime + duration, continuation: continuation))
            let count = state.sleepers.count
            let satisfied = state.watchers.filter { $0.count <= count }.map(\.continuation)
            state.watchers.removeAll { $0.count <= count }
            return (false, satisfied)
        }
        if wasCancelled { continuation.resume(returning: false) }
        for watcher in satisfied { watcher.resume() }
    }

    private func cancel(_ id: UInt64) {
        let sleeper = state.withLock { state -> Sleeper? in
            guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.sleepers.remove(at: index)
        }
        sleeper?.continuation.resume(returning: false)
    }
}
