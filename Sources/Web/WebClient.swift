internal import AsyncHTTPClient
package import DeviceKit
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// The real exchange, over AsyncHTTPClient. Follows no redirection: a punch goes where the configuration says.
package struct WebClient: HTTPExchange {
    private let client: HTTPClient
    private let timeout: Duration

    /// - Parameter baseDirectory: relative paths of the settings start here.
    /// - Throws: for files that cannot be read.
    package init(_ settings: WebSettings, baseDirectory: String) throws(SinkFault) {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .nanoseconds(Int64(settings.timeout.inSeconds * 1e9))))
        configuration.tlsConfiguration = try Self.security(settings, baseDirectory)
        configuration.connectionPool.idleTimeout = .seconds(30)
        // The pump tries again, after a delay that grows; here it would only hide why.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        timeout = settings.timeout
    }

    private static func security(_ settings: WebSettings, _ directory: String) throws(SinkFault) -> TLSConfiguration {
        var security = TLSConfiguration.makeClientConfiguration()
        let absolute = { (path: String) in path.hasPrefix("/") ? path : directory + "/" + path }
        do {
            if !settings.authorityPath.isEmpty {
                let authorities = try NIOSSLCertificate.fromPEMFile(absolute(settings.authorityPath))
                security.trustRoots = .certificates(authorities)
            }
            if !settings.certificatePath.isEmpty {
                security.certificateChain = try NIOSSLCertificate.fromPEMFile(absolute(settings.certificatePath))
                    .map { .certificate($0) }
                security.privateKey = .privateKey(
                    try NIOSSLPrivateKey(file: absolute(settings.keyPath), format: .pem))
            }
        } catch {
            throw SinkFault(.permanent, "a certificate or key cannot be read: \(error)")
        }
        return security
    }

    package func perform(_ request: WebRequest) async throws(SinkFault) -> WebResponse {
        var outgoing = HTTPClientRequest(url: request.url)
        outgoing.method = .RAW(value: request.method.rawValue)
        outgoing.headers.add(name: "User-Agent", value: "muster")
        for header in request.headers { outgoing.headers.add(name: header.name, value: header.value) }
        if !request.body.isEmpty { outgoing.body = .bytes(ByteBuffer(bytes: request.body)) }
        do {
            let response = try await client.execute(
                outgoing, timeout: .nanoseconds(Int64(timeout.inSeconds * 1e9)))
            let body = try await response.body.collect(upTo: WebResponse.maximumByteCount)
            return WebResponse(
                status: Int(response.status.code),
                headers: response.headers.map { WebRequest.Header($0.name, $0.value) },
                body: Array(body.readableBytesView))
        } catch is CancellationError {
            throw SinkFault(.cancelled, "interrupted")
        } catch let error as HTTPClientError where error == .cancelled {
            throw SinkFault(.cancelled, "interrupted")
        } catch {
            throw SinkFault(.transient, "\(Self.host(request.url)) cannot be reached: \(Self.sentence(error))")
        }
    }

    package func close() async { try? await client.shutdown() }

    /// Scheme, host and port, without what may hold a secret.
    private static func host(_ url: String) -> String {
        let afterScheme = url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).dropFirst(2)
        let authority = (afterScheme.first ?? "").prefix { $0 != "/" && $0 != "?" }
        return String(authority.split(separator: "@").last ?? "the server")
    }

    private static func sentence(_ error: any Error) -> String {
        if let error = error as? HTTPClientError { return error.shortDescription }
        return String("\(error)".prefix(200))
    }
}
