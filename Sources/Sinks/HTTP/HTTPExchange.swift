internal import DeviceKit

/// One request and its answer: all that the HTTP sinks need of a client, so that their rules are tested without one.
protocol HTTPExchange: Sendable {
    /// - Throws: when there was no whole answer; what the request did at the server is then not known.
    func perform(_ request: WebRequest) async throws(SinkFault) -> WebResponse
    /// May come more than once.
    func close() async
}

struct WebRequest: Sendable, Hashable {
    enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    var method: Method
    var url: String
    var headers: [Header] = []
    var body: [UInt8] = []

    struct Header: Sendable, Hashable {
        let name: String
        let value: String

        init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
}

struct WebResponse: Sendable, Hashable {
    var status: Int
    var headers: [WebRequest.Header] = []
    /// At most ``maximumByteCount`` bytes.
    var body: [UInt8] = []

    static let maximumByteCount = 4 * 1_024 * 1_024

    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// What the server asked for, in seconds; dates are not read.
    var retryAfter: Duration? {
        header("Retry-After").flatMap { Int($0) }.map { .seconds(min(max($0, 0), 86_400)) }
    }

    /// The beginning of the body as one line, for a message.
    var excerpt: String {
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        let line = text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 }
        return String(line.prefix(200))
    }

    var isSuccess: Bool { (200..<300).contains(status) }
}

/// What a status that is no success means, where a target has no rule of its own.
enum WebFaults {
    static func fault(_ response: WebResponse, _ what: String) -> SinkFault {
        let text = "\(what) answers \(response.status)"
        let detail = response.body.isEmpty ? "" : ": \(response.excerpt)"
        switch response.status {
        case 300..<400:
            let target = response.header("Location").map { " to \($0)" } ?? ""
            return SinkFault(.permanent, "\(text), a redirection\(target): write the final address into url")
        case 401, 403: return SinkFault(.permanent, "\(text): look at the credentials and their rights\(detail)")
        case 404, 405: return SinkFault(.permanent, "\(text): look at url\(detail)")
        case 410: return SinkFault(.permanent, "\(text): the endpoint is gone")
        case 408, 425, 429, 500...: return SinkFault(.transient, text + detail, retryAfter: response.retryAfter)
        default: return SinkFault(.permanent, text + detail)
        }
    }
}
