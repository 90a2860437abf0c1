internal import Crypto
internal import HTTPTypes
internal import MusterHost

/// Who may ask. With tokens, whoever shows one of a sufficient role; without, whoever is on this machine.
struct AccessRule: Sendable {
    private let tokens: [AccessToken]

    /// A longer one is no token of ours.
    static let maximumTokenByteCount = 256

    init(_ http: HostConfiguration.HTTP) { tokens = http.tokens }

    /// - Parameters:
    ///   - authorization: the header of the name.
    ///   - authority: the host that the client believes to talk to.
    func check(authorization: String?, authority: String?, needs role: AccessToken.Role) throws(Problem) {
        guard !tokens.isEmpty else {
            // A page in a browser may be led to this address under a name of its own.
            guard Self.isLoopback(authority) else {
                throw Problem(.forbidden, "without tokens only this machine is answered, by the name localhost")
            }
            return
        }
        guard let text = authorization.flatMap(Self.bearer) else {
            throw Problem(
                .unauthorized, "a token is needed: Authorization: Bearer …",
                headers: [.wwwAuthenticate: #"Bearer realm="muster""#])
        }
        guard let token = token(text) else {
            throw Problem(
                .unauthorized, "the token is not known",
                headers: [.wwwAuthenticate: #"Bearer realm="muster", error="invalid_token""#])
        }
        guard token.role >= role else {
            throw Problem(.forbidden, "the token \(token.name) is for a \(token.role.rawValue)")
        }
    }

    private static func bearer(_ header: String) -> Substring? {
        guard let space = header.firstIndex(of: " "), header[..<space].lowercased() == "bearer" else { return nil }
        let token = header[header.index(after: space)...].drop { $0 == " " }
        return (1...maximumTokenByteCount).contains(token.utf8.count) ? token : nil
    }

    /// Looks at every token to its end, so that the time tells nothing of them.
    private func token(_ text: Substring) -> AccessToken? {
        let digest = Array(SHA256.hash(data: Array(text.utf8)))
        var found: AccessToken?
        for token in tokens where Self.isEqual(token.digest, digest) { found = token }
        return found
    }

    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func isLoopback(_ authority: String?) -> Bool {
        guard let authority else { return false }
        if let address = ListenAddress(authority) { return address.isLoopback }
        let bare =
            authority.hasPrefix("[") && authority.hasSuffix("]") ? authority.dropFirst().dropLast() : authority[...]
        return ListenAddress("[\(bare)]:1")?.isLoopback ?? false
    }
}
