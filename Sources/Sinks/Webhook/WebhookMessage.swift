internal import Crypto
internal import DeviceKit
internal import Foundation

/// One request of the webhook sink: its body, and the headers that prove where it comes from.
struct WebhookMessage: Sendable {
    /// Stable across attempts.
    let id: String
    let body: [UInt8]

    init(id: String, body: [UInt8]) {
        self.id = id
        self.body = body
    }

    /// - Parameter isList: `data` is a list of punches; else the one punch.
    init(_ punches: ArraySlice<JournaledPunch>, isList: Bool) {
        let keys = punches.map { PunchKey.of($0.punch) }
        id = isList ? PunchKey.of(keys) : keys.first ?? ""
        var body: [UInt8] = []
        body.append(contentsOf: #"{"type":"punch.recorded","timestamp":""#.utf8)
        // Of the punches and not of the attempt: the same punches make the same body.
        body.append(contentsOf: (punches.map(\.punch.receivedAt).max()?.description ?? "").utf8)
        body.append(contentsOf: #"","data":"#.utf8)
        if isList { body.append(0x5B) }
        for (index, (journaled, key)) in zip(punches, keys).enumerated() {
            if index > 0 { body.append(0x2C) }
            body.append(contentsOf: #"{"id":""#.utf8)
            body.append(contentsOf: key.utf8)
            body.append(contentsOf: #"","#.utf8)
            // The punch is a JSON object: its members follow the id.
            body.append(contentsOf: journaled.punch.json.text.utf8.dropFirst())
        }
        if isList { body.append(0x5D) }
        body.append(0x7D)
        self.body = body
    }

    /// - Parameter now: of this attempt.
    func headers(_ signature: WebhookSettings.Signature, keys: [[UInt8]], now: Instant) -> [WebRequest.Header] {
        let seconds = String(now.secondsSince1970)
        var headers = [
            WebRequest.Header("Content-Type", "application/json"), WebRequest.Header("webhook-id", id),
            WebRequest.Header("webhook-timestamp", seconds),
        ]
        guard let newest = keys.first else { return headers }
        switch signature {
        case .standard:
            let signatures = keys.map { key in
                "v1," + Data(Self.authentication(Array("\(id).\(seconds).".utf8) + body, key)).base64EncodedString()
            }
            headers.append(WebRequest.Header("webhook-signature", signatures.joined(separator: " ")))
        case .github:
            let code = PunchKey.hexadecimal(Self.authentication(body, newest))
            headers.append(WebRequest.Header("X-Hub-Signature-256", "sha256=" + code))
        case .stripe:
            let codes = keys.map { key in
                "v1=" + PunchKey.hexadecimal(Self.authentication(Array("\(seconds).".utf8) + body, key))
            }
            headers.append(WebRequest.Header("Signature", (["t=\(seconds)"] + codes).joined(separator: ",")))
        }
        return headers
    }

    private static func authentication(_ text: [UInt8], _ key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: key)))
    }
}

/// What a receiver says of each punch of a batch, when it says so.
struct WebhookResults: Decodable {
    struct Item: Decodable {
        let id: String
        let status: String
        let reason: String?
    }

    let results: [Item]

    /// `nil` for a body that is no list of results: then the status holds for all.
    init?(_ response: WebResponse) {
        guard !response.body.isEmpty,
            let results = try? JSONDecoder().decode(WebhookResults.self, from: Data(response.body))
        else { return nil }
        self = results
    }
}
