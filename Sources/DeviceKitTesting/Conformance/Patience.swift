internal import DeviceKit
internal import Synchronization

/// Waits for work that may never end. The real clock decides here, since a driver that hangs does so in any time.
struct Patience: Sendable {
    let limit: Duration

    /// The result of `work`, or a failed verdict when it takes too long; the work is then cancelled and left behind.
    func wait<Value: Sendable>(
        for what: String, _ work: @escaping @Sendable () async -> Value
    ) async throws(Verdict) -> Value {
        let outcome = Outcome<Value>()
        let worker = Task { outcome.settle(await work()) }
        let timer = Task { [limit] in
            if (try? await Task.sleep(for: limit)) != nil { outcome.settle(nil) }
        }
        let value = await outcome.value()
        timer.cancel()
        guard let value else {
            worker.cancel()
            throw .failed("\(what) did not return within \(limit)")
        }
        return value
    }
}

/// A value that arrives once; `nil` is "too late".
private final class Outcome<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value?, Never>)
        case settled(Value?)
    }

    private let state = Mutex(State.open)

    func settle(_ value: Value?) {
        let waiting = state.withLock { state -> CheckedContinuation<Value?, Never>? in
            switch state {
            case .settled: return nil
            case .open:
                state = .settled(value)
                return nil
            case .awaited(let continuation):
                state = .settled(value)
                return continuation
            }
        }
        waiting?.resume(returning: value)
    }

    func value() async -> Value? {
        await withCheckedContinuation { continuation in
            let settled: Value?? = state.withLock { state in
                if case .settled(let value) = state { return .some(value) }
                state = .awaited(continuation)
                return nil
            }
            if let settled { continuation.resume(returning: settled) }
        }
    }
}
