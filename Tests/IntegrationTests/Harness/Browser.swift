import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Asks a host over HTTP.
enum Browser {
    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let text: String

        /// The body as one JSON object.
        var object: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
        }
    }

    static func get(
        _ url: String, method: HTTPMethod = .GET, headers: [(String, String)] = [], body: String? = nil,
        limit: TimeAmount = .seconds(20)
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: limit)
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return Answer(status: Int(response.status.code), headers: response.headers, text: String(buffer: bytes))
    }

    /// Waits until the host serves a path with the status 200.
    static func untilServed(_ url: String) async throws -> Answer {
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            if let answer = try? await get(url, limit: .seconds(1)), answer.status == 200 { return answer }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw HarnessError("\(url) is not served")
    }
}

/// A page of metrics, read line by line.
struct MetricsReading {
    private var values: [String: Double] = [:]
    private(set) var names: Set<String> = []

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                names.insert(String(line.split(separator: " ")[2]))
            } else if !line.hasPrefix("#"), let space = line.lastIndex(of: " ") {
                values[String(line[..<space])] = Double(line[line.index(after: space)...])
            }
        }
    }

    /// The value of a series as it stands on the page, for example `muster_sink_backlog{sink="db"}`.
    subscript(series: String) -> Double? { values[series] }

    /// received, journaled, duplicate and rejected of a device.
    func punches(_ device: String) -> [Double] {
        ["received", "journaled", "duplicate", "rejected"].map {
            values["muster_punches_\($0)_total{device=\"\(device)\"}"] ?? .nan
        }
    }

    /// The equation that must hold on every page.
    func isConserved(_ device: String) -> Bool {
        let punches = punches(device)
        return punches[0] == punches[1] + punches[2] + punches[3]
    }
}
