import Alerts
import DeviceKit
import Web

/// The exchange of a channel over HTTP, made at its first message, with what a status means to it.
actor ChannelClient {
    typealias Maker = @Sendable () throws(SinkFault) -> any HTTPExchange

    private let what: String
    private let make: Maker
    private var exchange: (any HTTPExchange)?

    /// - Parameter what: the target, for messages: `the webhook`.
    init(_ what: String, _ make: @escaping Maker) {
        self.what = what
        self.make = make
    }

    init(_ what: String, _ settings: WebSettings, _ context: ChannelContext) {
        self.init(what) { () throws(SinkFault) in try WebClient(settings, baseDirectory: context.baseDirectory) }
    }

    /// - Throws: for anything but success.
    func post(
        _ url: String, headers: [WebRequest.Header], body: [UInt8]
    ) async throws(ChannelFault) -> WebResponse {
        do throws(SinkFault) {
            let response = try await open().perform(
                WebRequest(method: .post, url: url, headers: headers, body: body))
            guard response.isSuccess else { throw WebFaults.fault(response, what) }
            return response
        } catch {
            throw ChannelFault(error)
        }
    }

    func close() async {
        await exchange?.close()
        exchange = nil
    }

    private func open() throws(SinkFault) -> any HTTPExchange {
        if let exchange { return exchange }
        let made = try make()
        exchange = made
        return made
    }
}

extension ChannelFault {
    /// What speaks HTTP has one type of faults.
    init(_ fault: SinkFault) {
        let kind: ChannelFault.Kind =
            switch fault.kind {
            case .transient: .transient
            case .permanent: .permanent
            case .cancelled: .cancelled
            }
        self.init(kind, fault.message, retryAfter: fault.retryAfter)
    }
}

extension AlertMessage {
    /// Title and text, for channels that know no more than one text.
    func plainText(limit: Int) -> String {
        let whole = text.isEmpty ? title : "\(title)\n\n\(text)"
        return whole.unicodeScalars.count <= limit ? whole : "\(whole.prefix(limit - 1))…"
    }
}
