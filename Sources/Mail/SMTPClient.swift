internal import CLibCurl
internal import DeviceKit
internal import Synchronization

/// Sends messages over SMTP with libcurl, one at a time.
///
/// libcurl blocks: the actor has a thread of its own, outside of the pool that everybody shares. Each message has a
/// connection of its own, because hours lie between two of them.
public actor SMTPClient {
    private let options: SMTPOptions
    private let executor = QueueExecutor(label: "smtp")

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    public init(_ options: SMTPOptions) { self.options = options }

    /// Returns when the server has taken the message for at least one recipient.
    /// - Returns: those whom the server refused.
    public func send(_ message: MailMessage) async throws(MailError) -> [RefusedRecipient] {
        guard Self.isLibraryReady else { throw MailError(.options, "the mail library does not start") }
        let bytes = message.bytes
        let all = message.to.map(\.address)
        do throws(SMTPFailure) {
            try await transfer(bytes, from: message.from.address, to: all)
            return []
        } catch {
            // One refused recipient stops the message for all of them: then each gets its own.
            guard error.isAboutRecipients, all.count > 1 else { throw error.reason }
        }
        return try await eachByItself(bytes, from: message.from.address, to: all)
    }

    private func eachByItself(
        _ bytes: [UInt8], from sender: String, to recipients: [String]
    ) async throws(MailError) -> [RefusedRecipient] {
        var refused: [RefusedRecipient] = []
        var last: MailError?
        for recipient in recipients {
            do throws(SMTPFailure) {
                try await transfer(bytes, from: sender, to: [recipient])
            } catch {
                last = error.reason
                refused.append(RefusedRecipient(address: recipient, reason: error.reason.message))
                if !error.isAboutRecipients { break }
            }
        }
        if let last, refused.count == recipients.count || last.kind == .cancelled { throw last }
        return refused
    }

    private func transfer(_ bytes: [UInt8], from sender: String, to recipients: [String]) async throws(SMTPFailure) {
        guard let handle = curl_easy_init() else {
            throw SMTPFailure(reason: MailError(.options, "the mail library gives no handle"))
        }
        defer { curl_easy_cleanup(handle) }
        let transfer = SMTPTransfer(handle, bytes)
        defer { transfer.release() }
        try transfer.configure(options)
        try transfer.address(from: sender, to: recipients)
        // A cancellation comes on another thread while this one is inside the library.
        let code = await withTaskCancellationHandler {
            transfer.perform()
        } onCancel: {
            transfer.cancel()
        }
        if let failure = transfer.failure(code, options) { throw failure }
    }
}

/// Why one transfer failed.
struct SMTPFailure: Error {
    let reason: MailError
    /// The server took the sender and refused somebody: without him it may go.
    var isAboutRecipients = false
}

/// One run of the library: owns what it points to while it runs.
private final class SMTPTransfer: Sendable {
    /// Used on the actor's thread only; the library reads it there, too, inside `perform`.
    private struct Memory: @unchecked Sendable {
        let handle: UnsafeMutableRawPointer
        let message: UnsafeMutableBufferPointer<UInt8>
        let errorText: UnsafeMutablePointer<CChar>
        let reader: UnsafeMutablePointer<Reader>
    }

    struct Reader {
        let bytes: UnsafeBufferPointer<UInt8>
        var offset = 0
    }

    private let memory: Memory
    private let isCancelled = Atomic(false)
    private let recipients = Mutex<Int?>(nil)

    init(_ handle: UnsafeMutableRawPointer, _ bytes: [UInt8]) {
        let message = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = message.initialize(from: bytes)
        let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE) + 1)
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE) + 1)
        let reader = UnsafeMutablePointer<Reader>.allocate(capacity: 1)
        reader.initialize(to: Reader(bytes: UnsafeBufferPointer(message)))
        memory = Memory(handle: handle, message: message, errorText: errorText, reader: reader)
    }

    /// Call it once, after the library's handle is of no more use.
    func release() {
        if let list = recipients.withLock({ $0.take() }) {
            curl_slist_free_all(UnsafeMutablePointer<curl_slist>(bitPattern: list))
        }
        memory.message.deallocate()
        memory.errorText.deallocate()
        memory.reader.deinitialize(count: 1)
        memory.reader.deallocate()
    }

    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    func configure(_ options: SMTPOptions) throws(SMTPFailure) {
        let handle = memory.handle
        let scheme = options.security == .tls ? "smtps" : "smtp"
        let host = options.host.contains(":") ? "[\(options.host)]" : options.host
        try set(CURLOPT_URL, "\(scheme)://\(host):\(options.port)/\(options.clientName)")
        if options.security == .startTLS { try set(CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue)) }
        if let authority = options.authority { try set(CURLOPT_CAINFO, authority) }
        if let credentials = options.credentials {
            try set(CURLOPT_USERNAME, credentials.user)
            try set(CURLOPT_PASSWORD, credentials.password)
        }
        let milliseconds = Int(clamping: max(options.timeout.wholeMilliseconds, 1))
        try set(CURLOPT_CONNECTTIMEOUT_MS, min(milliseconds, 15_000))
        try set(CURLOPT_TIMEOUT_MS, milliseconds)
        // Signals would reach the whole process.
        try set(CURLOPT_NOSIGNAL, 1)
        // Proxies of the environment are for the web.
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_UPLOAD, 1)
        try set(CURLOPT_NOPROGRESS, 0)
        try check(muster_curl_set_error_buffer(handle, memory.errorText))
        try check(
            muster_curl_set_progress(
                handle,
                { context, _, _, _, _ in
                    guard let context else { return 1 }
                    let transfer = Unmanaged<SMTPTransfer>.fromOpaque(context).takeUnretainedValue()
                    return transfer.isCancelled.load(ordering: .relaxed) ? 1 : 0
                }, Unmanaged.passUnretained(self).toOpaque()))
        try check(
            muster_curl_set_reader(
                handle,
                { buffer, size, count, context in
                    guard let buffer, let reader = context?.assumingMemoryBound(to: Reader.self) else { return 0 }
                    let (room, overflow) = size.multipliedReportingOverflow(by: count)
                    let bytes = reader.pointee.bytes
                    let next = min(overflow ? 0 : room, bytes.count - reader.pointee.offset)
                    guard next > 0, let base = bytes.baseAddress else { return 0 }
                    buffer.withMemoryRebound(to: UInt8.self, capacity: next) {
                        $0.update(from: base + reader.pointee.offset, count: next)
                    }
                    reader.pointee.offset += next
                    return next
                }, UnsafeMutableRawPointer(memory.reader)))
    }

    func address(from sender: String, to addresses: [String]) throws(SMTPFailure) {
        try set(CURLOPT_MAIL_FROM, "<\(sender)>")
        var list: UnsafeMutablePointer<curl_slist>?
        for address in addresses {
            guard let longer = curl_slist_append(list, "<\(address)>") else {
                curl_slist_free_all(list)
                throw SMTPFailure(reason: MailError(.options, "no memory for the recipients"))
            }
            list = longer
        }
        recipients.withLock { $0 = list.map { Int(bitPattern: $0) } }
        try check(muster_curl_set_list(memory.handle, CURLOPT_MAIL_RCPT, list))
    }

    func perform() -> CURLcode { curl_easy_perform(memory.handle) }

    /// `nil` for success.
    func failure(_ code: CURLcode, _ options: SMTPOptions) -> SMTPFailure? {
        guard code != CURLE_OK else { return nil }
        let server = "the mail server \(options.host):\(options.port)"
        let answer = muster_curl_response_code(memory.handle)
        let buffer = String(cString: memory.errorText)
        let detail = buffer.isEmpty ? String(cString: curl_easy_strerror(code)) : buffer
        func failed(_ kind: MailError.Kind, _ text: String, isAboutRecipients: Bool = false) -> SMTPFailure {
            SMTPFailure(reason: MailError(kind, text), isAboutRecipients: isAboutRecipients)
        }
        switch code {
        case CURLE_ABORTED_BY_CALLBACK: return failed(.cancelled, "interrupted")
        case CURLE_LOGIN_DENIED: return failed(.refused, "\(server) refuses user and password: \(detail)")
        case CURLE_USE_SSL_FAILED: return failed(.security, "\(server) offers no STARTTLS: nothing was sent")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CERTPROBLEM:
            return failed(.security, "no trusted connection to \(server): \(detail)")
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
            return failed(.options, "\(server) cannot be used: \(detail)")
        case _ where (500..<600).contains(answer):
            return failed(.refused, "\(server) refuses: \(detail)", isAboutRecipients: detail.contains("RCPT"))
        case _ where (400..<500).contains(answer):
            return failed(
                .transient, "\(server) asks for patience: \(detail)", isAboutRecipients: detail.contains("RCPT"))
        default: return failed(.transient, "\(server) does not take the message: \(detail)")
        }
    }

    private func set(_ option: CURLoption, _ value: String) throws(SMTPFailure) {
        // The library copies the text.
        try check(muster_curl_set_text(memory.handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: Int) throws(SMTPFailure) {
        try check(muster_curl_set_long(memory.handle, option, value))
    }

    private func check(_ code: CURLcode) throws(SMTPFailure) {
        guard code != CURLE_OK else { return }
        throw SMTPFailure(reason: MailError(.options, String(cString: curl_easy_strerror(code))))
    }
}
