internal import DeviceKit
internal import Synchronization

/// The configuration that holds now, for the parts of the host that look it up each time.
final class LiveConfiguration: Sendable {
    private struct State {
        var configuration: HostConfiguration
        /// Grows by one with each change that was applied; 1 is what the host started with.
        var generation = 1
        var lastReload: ReloadReport?
    }

    private let state: Mutex<State>

    init(_ configuration: HostConfiguration) { state = Mutex(State(configuration: configuration)) }

    var configuration: HostConfiguration { state.withLock { $0.configuration } }
    var generation: Int { state.withLock { $0.generation } }
    /// `nil` before the first reload that changed something or was refused.
    var lastReload: ReloadReport? { state.withLock { $0.lastReload } }

    /// - Returns: the generation of the configuration.
    func replace(_ configuration: HostConfiguration) -> Int {
        state.withLock { state in
            state.configuration = configuration
            state.generation += 1
            return state.generation
        }
    }

    func note(_ report: ReloadReport) { state.withLock { $0.lastReload = report } }
}
