internal import DeviceKit
internal import Synchronization

/// Counts what a driver does to the outside world, and interrupts it at a chosen place.
final class Instruments: Sendable {
    private struct State {
        var operationCount = 0
        var openLinkCount = 0
        var interruption: (operation: Int, action: @Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Sleeps, connects, sends and receives so far.
    var operationCount: Int { state.withLock { $0.operationCount } }
    var openLinkCount: Int { state.withLock { $0.openLinkCount } }

    /// Calls `action` when the operation with this number, counted from 0, begins.
    func interrupt(at operation: Int, _ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.interruption = (operation, action) }
    }

    /// The same context, with this object between the driver and the world.
    func watch(_ context: DriverContext) -> DriverContext {
        DriverContext(
            device: context.device, timeZone: context.timeZone, time: WatchedTime(inner: context.time, by: self),
            random: context.random, dialer: WatchedDialer(inner: context.dialer, by: self), log: context.log)
    }

    fileprivate func operationBegins() {
        let action = state.withLock { state in
            defer { state.operationCount += 1 }
            return state.interruption?.operation == state.operationCount ? state.interruption?.action : nil
        }
        action?()
    }

    fileprivate func linkCountChanges(by difference: Int) {
        state.withLock { $0.openLinkCount += difference }
    }
}

private struct WatchedTime: TimeSource {
    let inner: any TimeSource
    let instruments: Instruments

    init(inner: any TimeSource, by instruments: Instruments) {
        self.inner = inner
        self.instruments = instruments
    }

    func now() -> Instant { inner.now() }
    func uptime() -> Duration { inner.uptime() }

    func sleep(for duration: Duration) async throws(CancellationError) {
        instruments.operationBegins()
        try await inner.sleep(for: duration)
    }
}

private struct WatchedDialer: Dialer {
    let inner: any Dialer
    let instruments: Instruments

    init(inner: any Dialer, by instruments: Instruments) {
        self.inner = inner
        self.instruments = instruments
    }

    func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport {
        instruments.operationBegins()
        let transport = try await inner.connect(to: endpoint, timeout: timeout)
        instruments.linkCountChanges(by: 1)
        return WatchedTransport(inner: transport, by: instruments)
    }
}

private final class WatchedTransport: Transport {
    let inner: any Transport
    let instruments: Instruments
    private let isClosed = Mutex(false)

    init(inner: any Transport, by instruments: Instruments) {
        self.inner = inner
        self.instruments = instruments
    }

    func send(_ bytes: [UInt8]) async throws(DeviceFault) {
        instruments.operationBegins()
        try await inner.send(bytes)
    }

    func receive() async throws(DeviceFault) -> [UInt8]? {
        instruments.operationBegins()
        return try await inner.receive()
    }

    func close() async {
        let wasOpen = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        if wasOpen { instruments.linkCountChanges(by: -1) }
        await inner.close()
    }
}
