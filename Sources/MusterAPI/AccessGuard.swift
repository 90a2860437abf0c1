internal import HTTPTypes
internal import MusterHost
internal import Synchronization

/// Stands at the door: lets in who may by the ``AccessRule``, and nobody for a while who shows one wrong token after the
/// other.
final class AccessGuard: Sendable {
    private let rule: AccessRule
    private let uptime: @Sendable () -> Duration
    private let tell: @Sendable (Peer) -> Void
    private let wrong = Mutex(WrongTokens())

    /// - Parameters:
    ///   - uptime: of the host.
    ///   - tell: hears of a peer that has shown too many wrong tokens; once until it has been quiet for a while.
    init(_ rule: AccessRule, uptime: @escaping @Sendable () -> Duration, tell: @escaping @Sendable (Peer) -> Void) {
        self.rule = rule
        self.uptime = uptime
        self.tell = tell
    }

    /// - Parameters:
    ///   - authorization: the header of the name.
    ///   - authority: the host that the client believes to talk to.
    func admit(
        _ peer: Peer, authorization: String?, authority: String?, needs role: AccessToken.Role
    ) throws(Problem) {
        let now = uptime()
        // Before the token is looked at: guesses that would be right are refused like the others.
        if authorization != nil, let wait = wrong.withLock({ $0.wait(for: peer, at: now) }) {
            throw Self.tooMany(wait)
        }
        do throws(Problem) {
            try rule.check(authorization: authorization, authority: authority, needs: role)
        } catch {
            // Who shows nothing guesses nothing.
            guard error.status == .unauthorized, authorization != nil else { throw error }
            if wrong.withLock({ $0.note(peer, at: now) }) { tell(peer) }
            throw error
        }
    }

    private static func tooMany(_ wait: Duration) -> Problem {
        let (seconds, rest) = wait.components
        let whole = seconds + (rest > 0 ? 1 : 0)
        return Problem(
            .tooManyRequests, "too many wrong tokens came from this address: try again in \(whole) s",
            headers: [.retryAfter: "\(whole)"])
    }
}
