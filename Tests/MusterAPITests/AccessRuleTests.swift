import Crypto
import Foundation
import HTTPTypes
import MusterHost
import Testing

@testable import MusterAPI

@Suite("Access over HTTP")
struct AccessRuleTests {
    private func rule(_ tokens: [AccessToken] = []) throws -> AccessRule {
        AccessRule(HostConfiguration.HTTP(listen: try #require(ListenAddress("127.0.0.1:8080")), tokens: tokens))
    }

    private func token(_ text: String, _ role: AccessToken.Role, name: String = "x") -> AccessToken {
        AccessToken(name: name, role: role, digest: Array(SHA256.hash(data: Data(text.utf8))))
    }

    /// The status of the refusal; 200 for none.
    private func status(
        _ rule: AccessRule, authorization: String? = nil, authority: String? = "localhost:8080",
        needs role: AccessToken.Role = .viewer
    ) -> Int {
        do throws(Problem) {
            try rule.check(authorization: authorization, authority: authority, needs: role)
            return 200
        } catch {
            return error.status.code
        }
    }

    @Test("with tokens, whoever shows one of a sufficient role may ask")
    func roles() throws {
        let rule = try rule([token("viewer-token", .viewer), token("admin-token", .admin)])
        #expect(status(rule, authorization: "Bearer viewer-token") == 200)
        #expect(status(rule, authorization: "bearer viewer-token", authority: "anything.example") == 200)
        #expect(status(rule, authorization: "Bearer viewer-token", needs: .operator) == 403)
        #expect(status(rule, authorization: "Bearer admin-token", needs: .operator) == 200)
    }

    @Test(
        "anybody else may not",
        arguments: [
            nil, "", "Bearer", "Bearer ", "Bearer wrong", "Basic dmlld2VyLXRva2Vu", "viewer-token",
            "Bearer viewer-token x",
            "Bearer " + String(repeating: "x", count: 300),
        ])
    func strangers(authorization: String?) throws {
        let rule = try rule([token("viewer-token", .viewer)])
        #expect(status(rule, authorization: authorization) == 401)
    }

    @Test(
        "without tokens only those who call this machine by a name of its own",
        arguments: [
            ("localhost", 200), ("localhost:8080", 200), ("127.0.0.1:1", 200), ("[::1]:8080", 200), ("[::1]", 200),
            ("evil.example", 403), ("evil.example:8080", 403), ("127.0.0.1.evil.example:80", 403), (nil, 403),
        ] as [(String?, Int)])
    func loopback(authority: String?, expected: Int) throws {
        #expect(status(try rule(), authority: authority) == expected)
    }

    @Test("a new token is long, new each time, and fits its digest")
    func newToken() throws {
        let (one, other) = (NewToken(), NewToken())
        #expect(one.text != other.text)
        #expect(one.text.wholeMatch(of: /muster_[A-Za-z0-9_-]{43}/) != nil)
        let configuration = AccessToken(name: "x", role: .viewer, digest: Array(SHA256.hash(data: Data(one.text.utf8))))
        #expect(one.digest == configuration.digest.map { String(format: "%02x", $0) }.joined())
        #expect(status(try rule([configuration]), authorization: "Bearer \(one.text)") == 200)
    }
}
