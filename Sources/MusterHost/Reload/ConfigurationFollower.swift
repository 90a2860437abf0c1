/// A part of the host that follows the configuration while it runs.
///
/// Every part prepares before any of them applies, so that a change is applied whole or not at all.
protocol ConfigurationFollower: Sendable {
    /// Makes what the new configuration needs. Opens nothing and stops nothing.
    /// - Returns: what applies it. It must not fail, and must not wait for devices or targets.
    /// - Throws: ``ReloadRefusals`` with everything that cannot work.
    func prepare(
        _ configuration: HostConfiguration, _ change: ConfigurationChange
    ) throws(ReloadRefusals) -> @Sendable () async -> Void
}

/// A device or a sink that cannot be made.
struct ReloadRefusal: Sendable, Hashable {
    /// `devices.lobby`, `sinks.hr`.
    var name: String
    var reason: String
}

struct ReloadRefusals: Error, Sendable, Hashable {
    var all: [ReloadRefusal]
}
