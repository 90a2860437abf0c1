import Crypto
import Foundation
import HTTPTypes
import MusterHost
import Synchronization
import Testing

@testable import MusterAPI

@Suite("Wrong tokens")
struct WrongTokensTests {
    private let peer = Peer(address: [10, 0, 0, 1])

    private func peer(_ number: Int) -> Peer {
        Peer(address: [172, 16, UInt8(number / 256), UInt8(number % 256)])
    }

    @Test("ten at once, then one every six seconds")
    func burst() {
        var tokens = WrongTokens()
        for number in 1...10 {
            #expect(tokens.wait(for: peer, at: .seconds(100)) == nil)
            let isTold = tokens.note(peer, at: .seconds(100))
            #expect(isTold == (number == 10))
        }
        #expect(tokens.wait(for: peer, at: .seconds(100)) == .seconds(6))
        #expect(tokens.wait(for: peer, at: .seconds(105)) == .seconds(1))
        #expect(tokens.wait(for: peer, at: .milliseconds(105_999)) == .milliseconds(1))
        #expect(tokens.wait(for: peer, at: .seconds(106)) == nil)
        #expect(tokens.wait(for: peer(1), at: .seconds(100)) == nil)
        // It goes on: no leave is left again, and nobody is told again.
        let isToldAgain = tokens.note(peer, at: .seconds(106))
        #expect(!isToldAgain)
        #expect(tokens.wait(for: peer, at: .seconds(106)) == .seconds(6))
        // Quiet for a minute: all of its leave is back, and the next time is told.
        for number in 1...10 {
            let isTold = tokens.note(peer, at: .seconds(166))
            #expect(isTold == (number == 10))
        }
        #expect(tokens.wait(for: peer, at: .seconds(166)) == .seconds(6))
    }

    @Test("who is wrong once a scrape is never shut out")
    func slow() {
        var tokens = WrongTokens()
        for second in stride(from: 0, to: 3_600, by: 6) {
            #expect(tokens.wait(for: peer, at: .seconds(second)) == nil)
            let isTold = tokens.note(peer, at: .seconds(second))
            #expect(!isTold)
        }
    }

    @Test("only so many peers are remembered: the first to go are those whose leave is back, or is so soonest")
    func bound() {
        var tokens = WrongTokens()
        for _ in 1...10 { _ = tokens.note(peer, at: .zero) }
        for number in 1..<WrongTokens.maximumPeerCount { _ = tokens.note(peer(number), at: .seconds(1)) }
        #expect(tokens.peerCount == WrongTokens.maximumPeerCount)
        for number in 2_000..<5_000 { _ = tokens.note(peer(number), at: .seconds(2)) }
        #expect(tokens.peerCount == WrongTokens.maximumPeerCount)
        #expect(tokens.wait(for: peer, at: .seconds(2)) == .seconds(4))
        _ = tokens.note(peer(6_000), at: .seconds(10))
        #expect(tokens.peerCount == 2)
        #expect(tokens.wait(for: peer, at: .seconds(2)) == .seconds(4))
    }

    @Test(
        "a peer is an address of IPv4, or 64 bits of IPv6",
        arguments: [
            ("0a000001", "10.0.0.1"), ("00000000000000000000ffff0a000001", "10.0.0.1"),
            ("20010db8000100020003000400050006", "2001:db8:1:2::/64"),
            ("20010db800010002ffffffffffffffff", "2001:db8:1:2::/64"),
            ("00000000000000000000000000000001", "0:0:0:0::/64"), ("", "unknown"),
        ])
    func peers(_ hex: String, _ text: String) throws {
        let bytes = stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
        #expect(Peer(address: bytes).description == text)
        if bytes.count == 16 {
            let neighbour = Peer(address: bytes.dropLast() + [99])
            #expect((neighbour == Peer(address: bytes)) == !text.hasPrefix("10."))
        }
    }

    /// A clock that a test sets.
    private final class Uptime: Sendable {
        private let value = Mutex(Duration.seconds(1_000))
        var now: Duration { value.withLock { $0 } }
        func pass(_ duration: Duration) { value.withLock { $0 += duration } }
    }

    @Test("the door answers 429 with the seconds to wait, to right tokens, too, and to that address only")
    func door() throws {
        let token = AccessToken(name: "x", role: .viewer, digest: Array(SHA256.hash(data: Data("right".utf8))))
        let rule = AccessRule(
            HostConfiguration.HTTP(listen: try #require(ListenAddress("127.0.0.1:8080")), tokens: [token]))
        let uptime = Uptime()
        let told = Mutex<[String]>([])
        let door = AccessGuard(rule) {
            uptime.now
        } tell: { peer in
            told.withLock { $0.append("\(peer)") }
        }
        func knock(_ token: String?, from peer: Peer, needs role: AccessToken.Role = .viewer) -> Problem? {
            do throws(Problem) {
                try door.admit(peer, authorization: token.map { "Bearer \($0)" }, authority: "muster", needs: role)
                return nil
            } catch {
                return error
            }
        }
        for _ in 1...10 {
            // Neither who shows nothing nor who may not do everything has guessed.
            #expect(knock(nil, from: peer)?.status == .unauthorized)
            #expect(knock("right", from: peer, needs: .admin)?.status == .forbidden)
            #expect(knock("right", from: peer) == nil)
            #expect(knock("wrong", from: peer)?.status == .unauthorized)
        }
        uptime.pass(.milliseconds(2_500))
        for guess in ["wrong", "right"] {
            let refusal = try #require(knock(guess, from: peer))
            #expect(refusal.status == .tooManyRequests)
            #expect(refusal.headers[.retryAfter] == "4")
            #expect(refusal.detail == "too many wrong tokens came from this address: try again in 4 s")
        }
        #expect(knock(nil, from: peer)?.status == .unauthorized)
        #expect(knock("right", from: Peer(address: [10, 0, 0, 2])) == nil)
        uptime.pass(.milliseconds(3_500))
        #expect(knock("right", from: peer) == nil)
        #expect(told.withLock { $0 } == ["10.0.0.1"])
    }

    @Test("without tokens in the configuration nobody is counted")
    func noTokens() throws {
        let rule = AccessRule(HostConfiguration.HTTP(listen: try #require(ListenAddress("127.0.0.1:8080")), tokens: []))
        let door = AccessGuard(rule) {
            .zero
        } tell: { _ in
            Issue.record("nothing is to be told")
        }
        for _ in 1...30 {
            try door.admit(peer, authorization: "Bearer wrong", authority: "localhost", needs: .admin)
        }
    }
}
