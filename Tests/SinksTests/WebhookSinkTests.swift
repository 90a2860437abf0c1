import DeviceKit
import DeviceKitTesting
import Foundation
import Testing
import Web

@testable import Sinks

@Suite("The webhook sink")
struct WebhookSinkTests {
    private func settings(_ texts: [String: String] = [:], secrets: [String] = []) throws -> WebhookSettings {
        try WebhookSettings(
            try WebhookSettings.schema.values(
                ["url": "https://hr.example.com/punches"].merging(texts) { $1 }, lists: ["secrets": secrets]))
    }

    private func sink(
        _ exchange: ScriptedExchange, _ texts: [String: String] = [:], secrets: [String] = []
    ) async throws -> WebhookSink {
        let context = SinkContext(
            name: "hr", baseDirectory: "/", time: ManualTime(start: Instant(secondsSince1970: 1_674_087_231)),
            log: SilentLog())
        let sink = WebhookSink(try settings(texts, secrets: secrets), context) { () throws(SinkFault) in exchange }
        try await sink.open()
        return sink
    }

    private func accepting() -> ScriptedExchange {
        ScriptedExchange { _, _ throws(SinkFault) in WebResponse(status: 204) }
    }

    @Test("posts a batch as one document, whose punches carry keys that never change")
    func document() async throws {
        let exchange = accepting()
        let sink = try await sink(exchange)
        let batch = try punches(1...3)
        #expect(try await sink.deliver(batch) == .allAccepted)
        #expect(try await sink.deliver(batch) == .allAccepted)
        let requests = exchange.requests
        #expect(requests.count == 2)
        #expect(requests[0].body == requests[1].body)
        #expect(requests[0].header("webhook-id") == requests[1].header("webhook-id"))
        #expect(requests[0].method == .post)
        #expect(requests[0].url == "https://hr.example.com/punches")
        #expect(requests[0].header("Content-Type") == "application/json")
        #expect(requests[0].json["type"] as? String == "punch.recorded")
        let data = try #require(requests[0].json["data"] as? [[String: Any]])
        #expect(data.map { $0["id"] as? String } == batch.map { PunchKey.of($0.punch) })
        #expect(data.map { $0["code"] as? String } == ["7", "7", "7"])
        #expect(Set(data.compactMap { $0["id"] as? String }).count == 3)
        #expect(data[0]["time"] as? String == batch[0].punch.time.description)
    }

    @Test("a key depends on device, person and time, and on nothing else")
    func keys() throws {
        let first = try punch(1).punch
        var changed = first
        changed.notes = "later"
        changed.record.direction = Direction(.out, raw: 1)
        #expect(PunchKey.of(first) == PunchKey.of(changed))
        #expect(PunchKey.of(first) != PunchKey.of(try punch(2).punch))
        #expect(PunchKey.of(first) != PunchKey.of(try punch(1, device: "gate").punch))
        // Where one part ends and the next begins counts.
        #expect(
            PunchKey.of(try punch(1, device: "a", code: "bc").punch)
                != PunchKey.of(try punch(1, device: "ab", code: "c").punch))
    }

    // The example of the Standard Webhooks specification, which its reference libraries test with.
    @Test("signs as Standard Webhooks prescribes")
    func standardSignature() throws {
        let key = try #require(Data(base64Encoded: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let message = WebhookMessage(id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: Array(#"{"test": 2432232314}"#.utf8))
        let headers = message.headers(.standard, keys: [Array(key)], now: Instant(secondsSince1970: 1_614_265_330))
        #expect(
            headers.first { $0.name == "webhook-signature" }?.value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        )
    }

    @Test("while keys are exchanged both sign; a text is a key too")
    func rotation() async throws {
        let exchange = accepting()
        _ = try await sink(exchange, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "old words"])
            .deliver(try punches(1...1))
        let signature = try #require(exchange.requests.first?.header("webhook-signature"))
        #expect(signature.split(separator: " ").count == 2)
        #expect(signature.split(separator: " ").allSatisfy { $0.hasPrefix("v1,") })
        #expect(exchange.requests[0].header("webhook-timestamp") == "1674087231")
    }

    // Keyed digests computed with `openssl dgst -sha256 -hmac`.
    @Test("signs as GitHub and as Stripe do when told")
    func otherSignatures() throws {
        let message = WebhookMessage(id: "m", body: Array("Hello, World!".utf8))
        let key = Array("It's a Secret to Everybody".utf8)
        let now = Instant(secondsSince1970: 1_614_265_330)
        // The example of GitHub's documentation.
        #expect(
            message.headers(.github, keys: [key], now: now).last
                == WebRequest.Header(
                    "X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"))
        let stripe = try #require(message.headers(.stripe, keys: [key, key], now: now).last)
        #expect(stripe.name == "Signature")
        #expect(stripe.value.hasPrefix("t=1614265330,v1="))
        #expect(stripe.value.split(separator: ",").count == 3)
    }

    @Test("without keys nothing is signed; a batch of 1 posts each punch as an object")
    func single() async throws {
        let exchange = accepting()
        _ = try await sink(exchange, ["batch": "1", "authorization": "Bearer t"]).deliver(try punches(1...2))
        #expect(exchange.requests.count == 2)
        #expect(exchange.requests[0].header("webhook-signature") == nil)
        #expect(exchange.requests[0].header("Authorization") == "Bearer t")
        let data = try #require(exchange.requests[1].json["data"] as? [String: Any])
        #expect(data["id"] as? String == exchange.requests[1].header("webhook-id"))
    }

    @Test(
        "one punch that the receiver cannot take is found by halves; the rest arrive once each",
        arguments: [400, 413, 422])
    func poison(status: Int) async throws {
        let exchange = ScriptedExchange { request, _ throws(SinkFault) in
            String(decoding: request.body, as: UTF8.self).contains(#""n":5"#)
                ? WebResponse(status: status, body: Array("no such\nperson".utf8)) : WebResponse(status: 200)
        }
        let delivery = try await sink(exchange).deliver(try punches(1...8))
        #expect(delivery.rejected == [.init(position: 5, reason: "the webhook answers \(status): no such person")])
        let accepted = exchange.requests.filter { !String(decoding: $0.body, as: UTF8.self).contains(#""n":5"#) }
        let ids = accepted.flatMap { ($0.json["data"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String } }
        #expect(ids == (try punches(1...8)).filter { $0.position != 5 }.map { PunchKey.of($0.punch) })
    }

    @Test("a receiver may answer for each punch")
    func answers() async throws {
        let batch = try punches(1...3)
        let body = """
            {"results": [{"id": "\(PunchKey.of(batch[0].punch))", "status": "accepted"},
             {"id": "\(PunchKey.of(batch[1].punch))", "status": "rejected", "reason": "left the company"},
             {"id": "punch_of_somebody_else", "status": "rejected"}]}
            """
        let exchange = ScriptedExchange { _, _ throws(SinkFault) in WebResponse(status: 200, body: Array(body.utf8)) }
        #expect(
            try await sink(exchange).deliver(batch)
                == Delivery(rejected: [.init(position: 2, reason: "left the company")]))
    }

    @Test("one that asks for a punch again gets the batch again, when it says")
    func retryOfOne() async throws {
        let batch = try punches(1...2)
        let body = #"{"results": [{"id": "\#(PunchKey.of(batch[0].punch))", "status": "retry", "reason": "busy"}]}"#
        let exchange = ScriptedExchange { _, _ throws(SinkFault) in
            WebResponse(status: 200, headers: [.init("retry-after", "7")], body: Array(body.utf8))
        }
        let sink = try await sink(exchange)
        let fault = await #expect(throws: SinkFault.self) { try await sink.deliver(batch) }
        #expect(fault?.kind == .transient)
        #expect(fault?.retryAfter == .seconds(7))
    }

    @Test(
        "a refusal says whether waiting helps",
        arguments: [
            (429, SinkFault.Kind.transient), (503, .transient), (500, .transient), (408, .transient),
            (401, .permanent), (403, .permanent), (404, .permanent), (301, .permanent), (410, .permanent),
        ])
    func refusals(status: Int, kind: SinkFault.Kind) async throws {
        let exchange = ScriptedExchange { _, _ throws(SinkFault) in
            WebResponse(status: status, headers: [.init("Retry-After", "120")])
        }
        let sink = try await sink(exchange)
        let fault = await #expect(throws: SinkFault.self) { try await sink.deliver([try punch(1)]) }
        #expect(fault?.kind == kind)
        #expect(fault?.retryAfter == (kind == .transient ? .seconds(120) : nil))
    }

    @Test(
        "a date to come again is read by the server's clock",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 30 as Int64?), ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("Sun, 06 Nov 2094 08:49:37 GMT", 86_400), ("Sun, 31 Feb 1994 08:49:37 GMT", nil),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil), ("1e3", nil), ("-5", 0), ("9999999", 86_400), ("", nil),
        ])
    func dates(text: String, expected: Int64?) {
        let response = WebResponse(
            status: 503, headers: [.init("retry-after", text), .init("date", "Sun, 06 Nov 1994 08:49:07 GMT")])
        #expect(response.retryAfter == expected.map { .seconds($0) })
        #expect(
            WebResponse(status: 503, headers: [.init("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]).retryAfter == nil
        )
    }

    @Test("what cannot work is said when the configuration is read")
    func badSettings() {
        #expect(throws: ConfigurationError.self) { try settings(["url": "hr.example.com"]) }
        #expect(throws: ConfigurationError.self) { try settings(["url": "https://"]) }
        #expect(throws: ConfigurationError.self) { try settings(["certificate": "client.pem"]) }
        #expect(throws: ConfigurationError.self) { try settings(secrets: ["whsec_§"]) }
    }
}
