internal import DeviceKit
internal import Journal
internal import Logging
internal import ServiceLifecycle
internal import Synchronization
internal import UnixSignals

/// Where a host's configuration comes from, so that it can be read again.
public struct ConfigurationSource: Sendable {
    let path: String
    private let loader: ConfigurationLoader

    public init(_ path: String, loader: ConfigurationLoader) {
        self.path = path
        self.loader = loader
    }

    func load() -> ConfigurationLoader.Loading { loader.load(path) }
}

/// Lets the host follow its files: reads and checks them in full, compares, prepares every part, and applies.
///
/// One reload at a time; requests that come meanwhile share the next one.
final class Reloader: Service {
    private let live: LiveConfiguration
    private let source: ConfigurationSource
    private let followers: [any ConfigurationFollower]
    private let time: any TimeSource
    private let quiet: Duration
    private let log: Logger
    private let redactor: Redactor
    /// Hears that a reload begins and ends, once the host is ready.
    private let manager = ServiceManager()
    private let health: HostHealth?
    private let state = Mutex(State())
    private let wake = ChangeSignal()

    private struct State {
        var waiting: [CheckedContinuation<ReloadReport?, Never>] = []
        /// What asked for the next reload; `nil` when nobody did.
        var cause: ReloadReport.Cause?
        var isStopped = false
        /// What the last reading looked at, and what it found there.
        var sources: ConfigurationSources?
        var stamps: FileStamps?
    }

    private static let longestQueue = 1_000
    /// What is said of an invalid file in the log; `muster check` says all.
    private static let loggedProblems = 10

    /// Files that change all the time are read at last, after so many looks.
    private static let mostLooks = 50
    /// So often files are read again that changed while they were read.
    private static let mostReadings = 3

    /// - Parameter quiet: for so long nobody may write the files before they are read: a file that is being written in place
    ///   may be valid in the middle, without half of the devices.
    init(
        _ live: LiveConfiguration, source: ConfigurationSource, followers: [any ConfigurationFollower],
        time: any TimeSource, quiet: Duration = .milliseconds(100), log: Logger, redactor: Redactor = Redactor(),
        health: HostHealth? = nil
    ) {
        self.quiet = quiet
        self.live = live
        self.source = source
        self.followers = followers
        self.time = time
        self.log = log
        self.redactor = redactor
        self.health = health
    }

    // MARK: From outside

    /// Reads the files that have been written until now.
    /// - Returns: `nil` when the host is stopping.
    func reload(_ cause: ReloadReport.Cause) async -> ReloadReport? {
        await withCheckedContinuation { continuation in
            let isTaken = state.withLock { state in
                guard !state.isStopped, state.waiting.count < Self.longestQueue else { return false }
                state.waiting.append(continuation)
                state.cause = state.cause ?? cause
                return true
            }
            if isTaken { wake.send() } else { continuation.resume(returning: nil) }
        }
    }

    /// The same, for somebody who does not wait for the answer.
    func request(_ cause: ReloadReport.Cause) {
        state.withLock { $0.cause = $0.cause ?? cause }
        wake.send()
    }

    /// The files that the last reading looked at, and how they were then; `nil` before the first.
    var lastReading: (sources: ConfigurationSources, stamps: FileStamps)? {
        state.withLock { state in
            guard let sources = state.sources, let stamps = state.stamps else { return nil }
            return (sources, stamps)
        }
    }

    /// How many wait for an answer.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Serves requests until the host stops.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var seen: UInt64 = 0
            while !Task.isCancelled {
                let generation = self.wake.generation
                if let (cause, waiting) = self.take() {
                    let isReady = self.health?.state.isStarted == true
                    if isReady { self.manager.reloading() }
                    let report = await self.perform(cause)
                    if isReady { self.manager.ready() }
                    for waiter in waiting { waiter.resume(returning: report) }
                } else {
                    seen = generation
                    guard (try? await self.wake.wait(since: seen)) != nil else { break }
                }
            }
        }
        stop()
    }

    private func take() -> (ReloadReport.Cause, [CheckedContinuation<ReloadReport?, Never>])? {
        state.withLock { state in
            guard let cause = state.cause else { return nil }
            state.cause = nil
            defer { state.waiting = [] }
            return (cause, state.waiting)
        }
    }

    private func stop() {
        let waiting = state.withLock { state in
            state.isStopped = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.resume(returning: nil) }
    }

    // MARK: One reload

    /// Not for two tasks at a time: ``run()`` calls it.
    func perform(_ cause: ReloadReport.Cause) async -> ReloadReport {
        let loading = await loadWhenQuiet()
        var report = ReloadReport(.unchanged, generation: live.generation, cause: cause, at: time.now())
        report.list(loading.report)
        guard var configuration = loading.configuration else {
            report.outcome = .refused
            return finish(report)
        }
        let old = live.configuration
        if configuration.devices.isEmpty, configuration.sinks.isEmpty, !old.devices.isEmpty {
            report.outcome = .refused
            report.problems.insert(
                "\(source.path): error: no device and no sink is left: is somebody writing the file? A restart would obey it",
                at: 0)
            return finish(report)
        }
        let change = ConfigurationChange(from: old, to: configuration)
        report.describe(change, deviceCount: configuration.devices.count)
        guard !change.isEmpty else { return finish(report) }
        // What needs a restart stays as it was, so that it is said again as long as the file wants it.
        configuration.dataDirectory = old.dataDirectory
        configuration.http = old.http
        configuration.log = old.log
        guard let steps = prepare(configuration, change, &report) else { return finish(report) }
        for step in steps { await step() }
        report.outcome = .applied
        let hasEffect = !change.devices.isEmpty || !change.sinks.isEmpty || !change.adjusted.isEmpty
        report.generation = hasEffect ? live.replace(configuration) : live.generation
        return finish(report)
    }

    private func loadWhenQuiet() async -> ConfigurationLoader.Loading {
        var readings = 0
        while true {
            await waitForQuiet()
            let (loading, isSteady) = load()
            readings += 1
            if isSteady || readings >= Self.mostReadings { return loading }
        }
    }

    private var known: ConfigurationSources {
        state.withLock { $0.sources } ?? ConfigurationSources(files: [source.path], patterns: [])
    }

    private func waitForQuiet() async {
        guard quiet > .zero else { return }
        let known = known
        var seen = FileStamps(known)
        for _ in 0..<Self.mostLooks {
            guard (try? await time.sleep(for: quiet)) != nil else { return }
            let now = FileStamps(known)
            if now == seen { return }
            seen = now
        }
    }

    /// - Returns: also whether the files that were known before were the same after the reading.
    private func load() -> (ConfigurationLoader.Loading, isSteady: Bool) {
        // Looked at before it is read: what changes meanwhile is seen as a change.
        let known = known
        var stamps = FileStamps(known)
        let loading = source.load()
        let isSteady = FileStamps(known) == stamps
        redactor.learn(loading.redactor)
        if loading.sources != known { stamps = stamps.merged(with: FileStamps(loading.sources)) }
        state.withLock { state in
            state.sources = loading.sources
            state.stamps = stamps
        }
        return (loading, isSteady)
    }

    private func prepare(
        _ configuration: HostConfiguration, _ change: ConfigurationChange, _ report: inout ReloadReport
    ) -> [@Sendable () async -> Void]? {
        var steps: [@Sendable () async -> Void] = []
        var refusals: [ReloadRefusal] = []
        for follower in followers {
            do throws(ReloadRefusals) {
                steps.append(try follower.prepare(configuration, change))
            } catch {
                refusals += error.all
            }
        }
        guard !refusals.isEmpty else { return steps }
        report.outcome = .refused
        report.problems.insert(contentsOf: refusals.map { "\($0.name): \($0.reason)" }, at: 0)
        let refused = Dictionary(refusals.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        func marked(_ items: [ReloadReport.Item], _ section: String) -> [ReloadReport.Item] {
            items.compactMap { item in
                refused["\(section).\(item.name)"].map {
                    ReloadReport.Item(name: item.name, result: "refused", detail: $0.reason)
                }
            }
        }
        report.devices = marked(report.devices, "devices")
        report.sinks = marked(report.sinks, "sinks")
        return nil
    }

    private func finish(_ report: ReloadReport) -> ReloadReport {
        switch report.outcome {
        case .unchanged:
            log.debug("the configuration was read again: nothing has changed")
            // A file that was mended to what held before is no longer refused.
            if live.lastReload?.outcome != .refused { return report }
        case .applied:
            log.notice("the configuration was reloaded", metadata: ["result": "\(report.summary)"])
        case .refused:
            log.error(
                "the new configuration is refused: the old one goes on",
                metadata: ["generation": "\(report.generation)", "problems": "\(report.problems.count)"])
            for problem in report.problems.prefix(Self.loggedProblems) {
                log.error("\(problem.split(separator: "\n").first ?? "")")
            }
        }
        live.note(report)
        return report
    }
}

/// Reloads at SIGHUP.
struct HangupService: Service {
    let reloader: Reloader

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) { reloader.request(.signal) }
        }
    }
}
