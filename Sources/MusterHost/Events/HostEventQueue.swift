public import DeviceKit
internal import Journal
internal import Synchronization

/// Keeps events for one consumer that takes its time. What does not fit is counted and left out: the host never waits
/// for whoever watches it.
public final class HostEventQueue: HostObserver {
    /// An event with its moment.
    public struct Entry: Sendable, Hashable {
        public var event: HostEvent
        public var at: Instant
    }

    private struct State {
        var entries: [Entry] = []
        var dropped = 0
    }

    public static let usualCapacity = 10_000

    private let capacity: Int
    private let isWanted: @Sendable (HostEvent) -> Bool
    private let state = Mutex(State())
    private let signal = ChangeSignal()

    /// - Parameter isWanted: others are not kept. Called for every event: quick.
    public init(
        capacity: Int = HostEventQueue.usualCapacity,
        isWanted: @escaping @Sendable (HostEvent) -> Bool = { _ in true }
    ) {
        self.capacity = max(capacity, 1)
        self.isWanted = isWanted
    }

    public func observe(_ event: HostEvent, at instant: Instant) {
        guard isWanted(event) else { return }
        let isFirst = state.withLock { state in
            guard state.entries.count < capacity else {
                state.dropped += 1
                return false
            }
            state.entries.append(Entry(event: event, at: instant))
            return state.entries.count == 1
        }
        if isFirst { signal.send() }
    }

    /// Everything that has come since the last call, at once.
    public func take() -> [Entry] {
        state.withLock { state in
            defer { state.entries = [] }
            return state.entries
        }
    }

    /// Waits for the first event and answers all that are there then.
    public func next() async throws(CancellationError) -> [Entry] {
        while true {
            // Taken before the look, so that what comes in between ends the wait.
            let generation = signal.generation
            let entries = take()
            if !entries.isEmpty { return entries }
            try await signal.wait(since: generation)
        }
    }

    /// Events that found no room.
    public var droppedCount: Int { state.withLock { $0.dropped } }
}
