internal import DeviceKit
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore

/// An error as RFC 9457 wants it.
struct Problem: Error, Sendable {
    let status: HTTPResponse.Status
    /// What is wrong with this request, and what to do about it.
    let detail: String?
    let headers: HTTPFields

    init(_ status: HTTPResponse.Status, _ detail: String?, headers: HTTPFields = [:]) {
        self.status = status
        self.detail = detail
        self.headers = headers
    }

    var response: Response {
        var json = JSONObjectWriter()
        json.member("type", "about:blank")
        json.member("title", status.reasonPhrase)
        json.member("status", status.code)
        if let detail { json.member("detail", detail) }
        var fields = headers
        fields[.contentType] = "application/problem+json"
        fields[.cacheControl] = "no-store"
        return Response(
            status: status, headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(string: json.finish().text)))
    }
}
