package import DeviceKit

/// One request and its answer: all that sinks and channels over HTTP need of a client, so that their rules are tested
/// without one.
package protocol HTTPExchange: Sendable {
    /// - Throws: when there was no whole answer; what the request did at the server is then not known.
    func perform(_ request: WebRequest) async throws(SinkFault) -> WebResponse
    /// May come more than once.
    func close() async
}

package struct WebRequest: Sendable, Hashable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    package var method: Method
    package var url: String
    package var headers: [Header]
    package var body: [UInt8]

    package init(method: Method, url: String, headers: [Header] = [], body: [UInt8] = []) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }

    package struct Header: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
}

package struct WebResponse: Sendable, Hashable {
    package var status: Int
    package var headers: [WebRequest.Header]
    /// At most ``maximumByteCount`` bytes.
    package var body: [UInt8]

    package init(status: Int, headers: [WebRequest.Header] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static let maximumByteCount = 4 * 1_024 * 1_024

    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// How long the server asks to be left alone, at most a day: a number of seconds, or a date by the server's own clock.
    package var retryAfter: Duration? {
        guard let text = header("Retry-After") else { return nil }
        if let seconds = Int(text) { return .seconds(min(max(seconds, 0), 86_400)) }
        guard let until = HTTPDate.instant(text), let now = header("Date").flatMap({ HTTPDate.instant($0) }) else {
            return nil
        }
        return min(max(until - now, .zero), .seconds(86_400))
    }

    /// The beginning of the body as one line, for a message.
    package var excerpt: String {
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        let line = text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 }
        return String(line.prefix(200))
    }

    package var isSuccess: Bool { (200..<300).contains(status) }
}

/// What a status that is no success means, where a target has no rule of its own.
package enum WebFaults {
    package static func fault(_ response: WebResponse, _ what: String) -> SinkFault {
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
