internal import DeviceKit
internal import Hummingbird
internal import HummingbirdCore
public import Logging
public import MusterHost
internal import NIOCore
public import PrometheusText
public import ServiceLifecycle

/// The HTTP interface of a running host: its health and its metrics.
///
/// Collecting punches matters more than showing how: an address that is taken is told and tried again, and the host goes
/// on meanwhile.
public struct HTTPInterface: Service {
    private let view: HostView
    private let registry: PrometheusRegistry
    private let version: String
    private let log: Logger

    /// Connections at a time; others wait.
    static let maximumConnectionCount = 64
    /// Between attempts at an address that is taken.
    static let retryInterval = Duration.seconds(10)

    /// What requests get of a shutdown.
    static let drainLimit = Duration.seconds(1)

    /// - Parameter registry: where the host counts, as its ``HostExtensions/metrics``.
    public init(_ view: HostView, registry: PrometheusRegistry, version: String, log: Logger) {
        self.view = view
        self.registry = registry
        self.version = version
        self.log = log
    }

    public func run() async throws {
        let http = view.configuration.http
        if http.isEnabled { await serve(http) }
        try? await gracefulShutdown()
    }

    private func serve(_ http: HostConfiguration.HTTP) async {
        var isTold = false
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                try await serveOnce(http)
                return
            } catch {
                if Task.isCancelled || Task.isShuttingDownGracefully { return }
                if !isTold {
                    log.error(
                        "ADMIN ALERT the HTTP interface cannot be served: punches are collected all the same",
                        metadata: [
                            "listen": "\(http.listen)", "error": "\(BindProblem.sentence(error))",
                            "remedy": "end what listens there, or set http: {listen: …}; it is tried again by itself",
                        ])
                }
                isTold = true
            }
            await cancelWhenGracefulShutdown { try? await view.time.sleep(for: Self.retryInterval) }
        }
    }

    /// Until the host stops: requests that are under way are answered then, within a limit.
    /// - Throws: when the address cannot be listened to.
    private func serveOnce(_ http: HostConfiguration.HTTP) async throws {
        let application = application(http) { notice(http) }
        let time = view.time
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                try? await gracefulShutdown()
                try? await time.sleep(for: Self.drainLimit)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func notice(_ http: HostConfiguration.HTTP) {
        log.info(
            "the HTTP interface is served",
            metadata: ["listen": "\(http.listen)", "tokens": "\(http.tokens.count)"])
    }

    private func guardian(_ http: HostConfiguration.HTTP) -> AccessGuard {
        let (time, log) = (view.time, log)
        return AccessGuard(AccessRule(http)) {
            time.uptime()
        } tell: { peer in
            log.warning(
                "wrong tokens come one after the other: the address is not answered for a while",
                metadata: ["address": "\(peer)"])
        }
    }

    private func application(
        _ http: HostConfiguration.HTTP, onRunning: @escaping @Sendable () -> Void
    ) -> some ApplicationProtocol {
        // Its own lines matter to its developers only.
        var quiet = log
        quiet.logLevel = .critical
        let limits = HTTP1Channel.Configuration(
            additionalChannelHandlers: [RequestDeadlineHandler()], idleTimeout: .seconds(75),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 100))
        return Application(
            router: Routes.router(
                guardian(http), health: view.health, metrics: MetricsPage(view, registry: registry, version: version)),
            server: .http1(configuration: limits),
            configuration: ApplicationConfiguration(
                address: .hostname(http.listen.host, port: Int(http.listen.port)),
                availableConnectionsDelegate: MaximumAvailableConnections(Self.maximumConnectionCount)),
            onServerRunning: { _ in onRunning() }, logger: quiet)
    }
}

enum BindProblem {
    /// The reason in the system's words where there is one.
    static func sentence(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return error.description
    }
}
