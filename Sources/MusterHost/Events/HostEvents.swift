public import DeviceKit
internal import Synchronization

/// Hears what happens in a host.
public protocol HostObserver: Sendable {
    /// Called in the middle of the work, by many tasks: returns at once and never waits for anything. Work of its own
    /// belongs behind a ``HostEventQueue``.
    func observe(_ event: HostEvent, at instant: Instant)
}

/// Hands events to everybody who observes, one after the other, in the caller's task.
///
/// Events of one device come in the order in which they happened; between devices there is no order.
public final class HostEvents: Sendable {
    private let time: any TimeSource
    private let observers: Mutex<[any HostObserver]>

    public init(time: any TimeSource, observers: [any HostObserver] = []) {
        self.time = time
        self.observers = Mutex(observers)
    }

    /// Observers stay for as long as the host runs.
    public func add(_ observer: any HostObserver) { observers.withLock { $0.append(observer) } }

    public func send(_ event: HostEvent) {
        let listening = observers.withLock { $0 }
        guard !listening.isEmpty else { return }
        let now = time.now()
        for observer in listening { observer.observe(event, at: now) }
    }
}
