package import DeviceKit
internal import Synchronization

/// Lets at most so many devices at the same time; the others wait in the order in which they came.
package struct SiteQueue: Sendable, Hashable {
    package private(set) var limit: Int
    package private(set) var inside: Set<DeviceID> = []
    /// Each device waits once.
    package private(set) var waiting: [DeviceID] = []

    package init(limit: Int) { self.limit = max(limit, 1) }

    /// Whether the device may begin at once; otherwise it waits until ``leave(_:)`` names it.
    package mutating func enter(_ device: DeviceID) -> Bool {
        if inside.contains(device) { return true }
        guard inside.count >= limit || !waiting.isEmpty else {
            inside.insert(device)
            return true
        }
        if !waiting.contains(device) { waiting.append(device) }
        return false
    }

    /// The device has ended, or no longer wants to begin.
    /// - Returns: those whose turn it is now.
    package mutating func leave(_ device: DeviceID) -> [DeviceID] {
        inside.remove(device)
        waiting.removeAll { $0 == device }
        return admit()
    }

    /// - Returns: those whose turn it is now.
    package mutating func setLimit(_ limit: Int) -> [DeviceID] {
        self.limit = max(limit, 1)
        return admit()
    }

    private mutating func admit() -> [DeviceID] {
        var admitted: [DeviceID] = []
        while inside.count < limit, !waiting.isEmpty {
            let device = waiting.removeFirst()
            inside.insert(device)
            admitted.append(device)
        }
        return admitted
    }
}

/// The queues of all sites. A device without a site, or of one without a limit, never waits.
final class SiteGate: Sendable {
    private struct State {
        var queues: [String: SiteQueue]
        var turns: [DeviceID: @Sendable () -> Void] = [:]
        /// Where a device is inside or waits, also when the configuration has moved it meanwhile.
        var places: [DeviceID: String] = [:]
    }

    private let state: Mutex<State>

    init(_ sites: [HostConfiguration.Site] = []) {
        state = Mutex(
            State(
                queues: Dictionary(
                    sites.map { ($0.name, SiteQueue(limit: $0.concurrency)) }, uniquingKeysWith: { first, _ in first }))
        )
    }

    /// Takes new limits; who waits for a site that no longer has one begins.
    func update(_ sites: [HostConfiguration.Site]) {
        let turns = state.withLock { state in
            var admitted: [DeviceID] = []
            let limits = Dictionary(sites.map { ($0.name, $0.concurrency) }, uniquingKeysWith: { first, _ in first })
            for (name, limit) in limits {
                if state.queues[name] == nil { state.queues[name] = SiteQueue(limit: limit) }
                admitted += state.queues[name]?.setLimit(limit) ?? []
            }
            for name in Set(state.queues.keys).subtracting(limits.keys) {
                admitted += state.queues.removeValue(forKey: name)?.waiting ?? []
            }
            return admitted.compactMap { state.turns.removeValue(forKey: $0) }
        }
        for turn in turns { turn() }
    }

    /// - Parameter turn: called once when the device may begin, if it may not at once.
    /// - Returns: whether it may begin at once.
    func enter(_ device: DeviceID, site: String?, turn: @escaping @Sendable () -> Void) -> Bool {
        guard let site else { return true }
        return state.withLock { state in
            guard state.queues[site] != nil else { return true }
            state.places[device] = site
            let mayBegin = state.queues[site]?.enter(device) ?? true
            state.turns[device] = mayBegin ? nil : turn
            return mayBegin
        }
    }

    /// Harmless for a device that is neither inside nor waits.
    func leave(_ device: DeviceID) {
        let turns = state.withLock { state -> [@Sendable () -> Void] in
            state.turns[device] = nil
            guard let site = state.places.removeValue(forKey: device) else { return [] }
            let admitted = state.queues[site]?.leave(device) ?? []
            return admitted.compactMap { state.turns.removeValue(forKey: $0) }
        }
        for turn in turns { turn() }
    }

    /// Waits for the device's turn.
    /// - Throws: `CancellationError`; the device then no longer waits.
    func wait(_ device: DeviceID, site: String?) async throws(CancellationError) {
        let (stream, signal) = AsyncStream.makeStream(of: Void.self)
        guard !enter(device, site: site, turn: { signal.finish() }) else { return }
        for await _ in stream {}
        guard !Task.isCancelled else {
            leave(device)
            throw CancellationError()
        }
    }
}
