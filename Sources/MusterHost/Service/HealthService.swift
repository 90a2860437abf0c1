internal import DeviceKit
internal import Logging
internal import ServiceLifecycle

/// Looks after the host itself: asks its parts whether they live, and tells systemd.
///
/// The watchdog hears from us only when every part has answered: a timer alone would go on beside a host that hangs.
struct HealthService: Service {
    let health: HostHealth
    let manager: ServiceManager
    let time: any TimeSource
    let log: Logger
    /// The journal's writer and the supervisors of now.
    let parts: @Sendable () async -> [Liveness.Part]
    /// One line for `systemctl status`.
    let summary: @Sendable () -> String

    /// Between two questions where nobody watches.
    static let usualInterval = Duration.seconds(15)

    /// Half of what the watchdog allows, so that one late answer does no harm.
    var interval: Duration { min(manager.watchdogLimit.map { $0 / 2 } ?? Self.usualInterval, Self.usualInterval) }

    func run() async throws {
        let liveness = Liveness(time: time)
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown { await watch(liveness) }
        } onGracefulShutdown: {
            health.update { $0.isStopping = true }
            manager.stopping()
        }
    }

    private func watch(_ liveness: Liveness) async {
        var isReady = false
        var known = ""
        while !Task.isCancelled {
            let silent = await liveness.silent(await parts(), within: interval)
            guard !Task.isCancelled else { return }
            tell(silent, before: health.state.silent)
            health.update { state in
                state.silent = silent
                state.isStarted = state.isStarted || silent.isEmpty
            }
            if silent.isEmpty {
                manager.alive()
                if !isReady { manager.ready() }
                isReady = true
            }
            let text = silent.isEmpty ? summary() : "\(silent.joined(separator: ", ")) does not answer"
            if text != known { manager.status(text) }
            known = text
            guard (try? await time.sleep(for: interval)) != nil else { return }
        }
    }

    private func tell(_ silent: [String], before: [String]) {
        guard silent != before else { return }
        if silent.isEmpty {
            log.notice("every part of the host answers again")
        } else {
            log.error(
                "ADMIN ALERT parts of the host do not answer: a watchdog will restart it",
                metadata: ["parts": "\(silent.joined(separator: ", "))"])
        }
    }
}
