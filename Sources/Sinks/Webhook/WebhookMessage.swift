internal import DeviceKit
internal import Foundation
internal import Web

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
    func headers(_ signature: WebSignature, keys: [[UInt8]], now: Instant) -> [WebRequest.Header] {
        [WebRequest.Header("Content-Type", "application/json")]
            + signature.headers(id: id, body: body, keys: keys, now: now)
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
