internal import DeviceKit
internal import Synchronization

/// The link to a simulated terminal: how old it is, whether it still works, and whoever waits on it.
final class SimulatedLink: Sendable {
    let faults: SimulatedFaults
    private let time: any TimeSource
    private let opened: Duration

    private struct State {
        var isClosed = false
        var clockCorrection: Int64 = 0
        var nextID = 0
        var naps: [Int: Task<Void, Never>] = [:]
    }

    private let shared = Mutex(State())

    /// How long a question waits for its answer on a silent link.
    static let replyTimeout = Duration.seconds(10)

    init(faults: SimulatedFaults, time: any TimeSource) {
        self.faults = faults
        self.time = time
        opened = time.uptime()
    }

    /// What has to hold before anything else is done on the link.
    /// - Throws: when the task was cancelled, the link was closed, or it broke.
    func state() throws(DeviceFault) -> SimulatedFaults.Link {
        if Task.isCancelled { throw .cancelled }
        if shared.withLock({ $0.isClosed }) { throw DeviceFault(.connectionLost, "the session was closed") }
        let state = faults.link(after: time.uptime() - opened)
        if state == .broken { throw DeviceFault(.connectionLost, "the link broke, as the settings say") }
        return state
    }

    /// One question and its answer. Answers come at once, or on a silent link never.
    func exchange() async throws(DeviceFault) {
        guard try state() == .silent else { return }
        try await sleep(for: Self.replyTimeout)
        throw DeviceFault(.timedOut, "the terminal did not answer within 10 s: it is silent, as the settings say")
    }

    /// Sleeps, and wakes early when the link changes. Throws as ``state()`` does.
    func sleep(for duration: Duration) async throws(DeviceFault) {
        let change = faults.timeToChange(after: time.uptime() - opened) ?? duration
        let nap = Task { [time] in _ = try? await time.sleep(for: min(duration, change)) }
        let id = shared.withLock { state in
            if state.isClosed { nap.cancel() }
            state.nextID += 1
            state.naps[state.nextID] = nap
            return state.nextID
        }
        await withTaskCancellationHandler {
            await nap.value
        } onCancel: {
            nap.cancel()
        }
        shared.withLock { $0.naps[id] = nil }
        _ = try state()
    }

    /// Wakes everybody. May come at any time and more than once.
    func close() {
        let naps = shared.withLock { state in
            state.isClosed = true
            return Array(state.naps.values)
        }
        for nap in naps { nap.cancel() }
    }

    var clockCorrection: Int64 { shared.withLock { $0.clockCorrection } }

    func correctClock(bySeconds seconds: Int64) {
        shared.withLock { $0.clockCorrection += seconds }
    }
}
