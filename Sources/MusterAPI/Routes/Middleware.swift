internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import MusterHost
internal import NIOCore

/// What is known of a request besides its head.
struct PeerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let peer: Peer

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = Peer(source.channel.remoteAddress)
    }
}

/// Answers every error as a problem of RFC 9457.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = PeerContext

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as Problem {
            return problem.response
        } catch let error as HTTPError {
            let detail = error.status == .notFound ? "there is nothing at this path" : error.body
            return Problem(error.status, detail).response
        } catch {
            // What went wrong inside is for the log, not for the network.
            context.logger.error("a request failed", metadata: ["error": "\(error)"])
            return Problem(.internalServerError, nil).response
        }
    }
}

/// Refuses what nothing here takes: other methods, bodies, endless paths.
struct LimitsMiddleware: RouterMiddleware {
    typealias Context = PeerContext

    static let maximumPathByteCount = 2_048

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard request.method == .get || request.method == .head else {
            throw Problem(.methodNotAllowed, "only GET and HEAD are answered here", headers: [.allow: "GET, HEAD"])
        }
        guard (request.head.path ?? "").utf8.count <= Self.maximumPathByteCount else {
            throw Problem(.uriTooLong, "a path has \(Self.maximumPathByteCount) bytes at the most")
        }
        let length = request.headers[.contentLength].map { $0 == "0" } ?? true
        guard length, request.headers[.transferEncoding] == nil else {
            throw Problem(.contentTooLarge, "a request has no body here")
        }
        return try await next(request, context)
    }
}

/// Lets in who may: see ``AccessGuard``.
struct AccessMiddleware: RouterMiddleware {
    typealias Context = PeerContext

    private let guardian: AccessGuard

    init(_ guardian: AccessGuard) { self.guardian = guardian }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        // Health says yes or no to whoever watches; everything else is for those who may.
        if !request.uri.path.hasPrefix("/health/") {
            try guardian.admit(
                context.peer, authorization: request.headers[.authorization], authority: request.head.authority,
                needs: .viewer)
        }
        return try await next(request, context)
    }
}
