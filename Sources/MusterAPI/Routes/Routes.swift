internal import DeviceKit
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import MusterHost
internal import NIOCore
internal import PrometheusText

/// What is served, and to whom.
enum Routes {
    static func router(
        _ guardian: AccessGuard, health: HostHealth, metrics: MetricsPage
    ) -> Router<PeerContext> {
        let router = Router(context: PeerContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: LimitsMiddleware())
        router.add(middleware: AccessMiddleware(guardian))
        router.get("health/live") { _, _ in
            let state = health.state
            guard state.isAlive else { throw Problem(.serviceUnavailable, state.problems.joined(separator: "; ")) }
            return JSONAnswer.ok
        }
        router.get("health/ready") { _, _ in
            let problems = health.state.problems
            guard problems.isEmpty else { throw Problem(.serviceUnavailable, problems.joined(separator: "; ")) }
            return JSONAnswer.ok
        }
        router.get("metrics") { _, _ in
            guard let text = await metrics.text() else {
                throw Problem(.serviceUnavailable, "the journal cannot be read now")
            }
            return Response(
                status: .ok, headers: [.contentType: MetricText.contentType, .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
        return router
    }
}

enum JSONAnswer {
    /// `{"status":"ok"}`
    static var ok: Response {
        var json = JSONObjectWriter()
        json.member("status", "ok")
        return Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: json.finish().text)))
    }
}
