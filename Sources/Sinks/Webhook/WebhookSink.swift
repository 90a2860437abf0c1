public import DeviceKit
internal import Web

/// Posts punches to an address as JSON, signed, with a key for each punch by which a receiver knows a repetition.
public actor WebhookSink: PunchSink {
    public static let manifest = SinkManifest(
        id: "webhook", summary: "Posts punches as JSON to a web address, signed after Standard Webhooks.")

    private let settings: WebhookSettings
    private let context: SinkContext
    private let makeExchange: @Sendable () throws(SinkFault) -> any HTTPExchange
    private var exchange: (any HTTPExchange)?

    public nonisolated let largestBatch: Int

    public init(settings: WebhookSettings, context: SinkContext) throws(SinkFault) {
        self.init(settings, context) { () throws(SinkFault) in
            try WebClient(settings.web, baseDirectory: context.baseDirectory)
        }
    }

    init(
        _ settings: WebhookSettings, _ context: SinkContext,
        exchange: @escaping @Sendable () throws(SinkFault) -> any HTTPExchange
    ) {
        self.settings = settings
        self.context = context
        makeExchange = exchange
        largestBatch = settings.batch
    }

    public func open() async throws(SinkFault) {
        await close()
        exchange = try makeExchange()
    }

    public func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        var rejected: [Delivery.Rejection] = []
        var rest = batch[...]
        while !rest.isEmpty {
            let part = rest.prefix(settings.batch)
            rejected += try await post(part)
            rest = rest.dropFirst(part.count)
        }
        return Delivery(rejected: rejected)
    }

    public func close() async {
        await exchange?.close()
        exchange = nil
    }

    private func post(_ punches: ArraySlice<JournaledPunch>) async throws(SinkFault) -> [Delivery.Rejection] {
        guard let exchange else { throw SinkFault(.transient, "the webhook is not open") }
        let message = WebhookMessage(punches, isList: settings.batch > 1)
        var headers = message.headers(settings.signature, keys: settings.keys, now: context.time.now())
        if !settings.authorization.isEmpty {
            headers.append(WebRequest.Header("Authorization", settings.authorization.reveal()))
        }
        let response = try await exchange.perform(
            WebRequest(method: .post, url: settings.url, headers: headers, body: message.body))
        if response.isSuccess { return try rejections(response, punches) }
        guard [400, 413, 422].contains(response.status) else { throw WebFaults.fault(response, "the webhook") }
        // The receiver cannot take these: halves are tried until the one that it refuses stands alone.
        guard punches.count > 1 else {
            return punches.map {
                .init(position: $0.position, reason: "the webhook answers \(response.status): \(response.excerpt)")
            }
        }
        let middle = punches.startIndex + punches.count / 2
        let first = try await post(punches[..<middle])
        return try await first + post(punches[middle...])
    }

    private func rejections(
        _ response: WebResponse, _ punches: ArraySlice<JournaledPunch>
    ) throws(SinkFault) -> [Delivery.Rejection] {
        guard let answer = WebhookResults(response) else { return [] }
        if let later = answer.results.first(where: { $0.status == "retry" }) {
            throw SinkFault(
                .transient, "the webhook asks for a punch once more: \(later.reason ?? "no reason given")",
                retryAfter: response.retryAfter)
        }
        let reasons = Dictionary(
            answer.results.filter { $0.status == "rejected" }.map { ($0.id, $0.reason ?? "refused by the webhook") },
            uniquingKeysWith: { first, _ in first })
        return punches.compactMap { journaled in
            reasons[PunchKey.of(journaled.punch)].map { .init(position: journaled.position, reason: $0) }
        }
    }
}
