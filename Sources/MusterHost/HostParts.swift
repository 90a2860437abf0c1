internal import DeviceKit
internal import Journal
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// The devices, as a part of the host that can be stopped.
struct FleetService: Service {
    let fleet: Fleet

    func run() async throws {
        await withGracefulShutdownHandler {
            await fleet.run()
        } onGracefulShutdown: {
            fleet.requestStop()
        }
    }
}

/// The control socket; it goes when the shutdown begins.
struct ControlService: Service {
    let desk: ControlDesk
    let directory: DataDirectory
    let log: Logger

    func run() async throws {
        let server = ControlServer(directory: directory, log: log) { [desk] in await desk.answer($0, report: $1) }
        await cancelWhenGracefulShutdown { await server.run() }
        // A host without its socket goes on.
        try? await gracefulShutdown()
    }
}

/// Ends the host: after its time, or when the journal can no longer be trusted.
struct EndService: Service {
    let failure: FatalFailure
    let limit: Duration?
    let time: any TimeSource

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await failure.wait() }
                if let limit { group.addTask { [time] in try? await time.sleep(for: limit) } }
                await group.next()
                group.cancelAll()
            }
        }
    }
}

/// The first error after which the journal cannot be trusted.
final class FatalFailure: Sendable {
    private let state = Mutex<JournalError?>(nil)
    private let signal = AsyncStream.makeStream(of: Void.self)

    var error: JournalError? { state.withLock { $0 } }

    func set(_ error: JournalError) {
        state.withLock { $0 = $0 ?? error }
        signal.continuation.finish()
    }

    /// Returns when there is one, or when the task is cancelled.
    func wait() async {
        for await _ in signal.stream {}
    }
}

/// Sees to it that a shutdown ends: some driver or sink may not return.
final class DrainWatch: Service {
    private let limit: Duration
    private let log: Logger
    private let overrun: @Sendable () -> Void
    private let timer = Mutex<Task<Void, Never>?>(nil)

    init(limit: Duration, log: Logger, overrun: @escaping @Sendable () -> Void) {
        self.limit = limit
        self.log = log
        self.overrun = overrun
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            try? await gracefulShutdown()
        } onGracefulShutdown: {
            self.begin()
        }
    }

    /// The shutdown is over.
    func standDown() { timer.withLock { $0.take() }?.cancel() }

    private func begin() {
        let (limit, log, overrun) = (limit, log, overrun)
        // Owned by the watch and ended by `standDown`. Not a child task: those are what may hang.
        let task = Task.detached {
            guard (try? await Task.sleep(for: limit)) != nil else { return }
            log.error("the shutdown takes too long: ending now. Nothing that was acknowledged is lost")
            overrun()
        }
        timer.withLock { $0 = task }
    }
}
