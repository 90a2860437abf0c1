import Foundation

/// A mail server that puts what it takes into a directory.
final class MailServer: Sendable {
    struct Mail: Sendable {
        let from: String
        let to: [String]
        let isSecure: Bool
        let user: String
        /// As it came, lines ended by LF.
        let text: String

        /// The value of a header, unfolded; `nil` when there is none.
        func header(_ name: String) -> String? {
            let head = text.components(separatedBy: "\n\n")[0].replacing("\n ", with: " ")
            return head.split(separator: "\n").first { $0.hasPrefix("\(name): ") }
                .map { String($0.dropFirst(name.count + 2)) }
        }
    }

    enum Mode: String { case plain, starttls, tls }

    let port: Int
    let directory: URL
    private let process: BackgroundProcess

    /// Runs `body` beside a server. For TLS, `ca.pem` in its directory is the authority of its certificate for localhost.
    static func with<Value>(
        _ mode: Mode = .plain, user: String? = nil, password: String = "",
        body: (MailServer) async throws -> Value
    ) async throws -> Value {
        let server = try await MailServer(mode, user, password)
        defer {
            server.process.stop()
            try? FileManager.default.removeItem(at: server.directory)
        }
        return try await body(server)
    }

    private init(_ mode: Mode, _ user: String?, _ password: String) async throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-mail-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        if mode != .plain {
            let made = try await ChildProcess.run("/bin/bash", ["-ec", Self.makeCertificates, "bash", directory.path])
            guard made.status == 0 else { throw HarnessError(made.standardError) }
        }
        process = try BackgroundProcess(
            try await PythonEnvironment.mailInterpreter(),
            [try PythonEnvironment.script("smtp_server"), directory.path, mode.rawValue]
                + (user.map { [$0, password] } ?? []))
        let line = try await process.line()
        guard let port = Int(line) else { throw HarnessError("the mail server told no port: \(line)") }
        self.port = port
    }

    /// What has arrived, in order.
    func mails() throws -> [Mail] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".json") }
        return try names.sorted().map { name in
            let file = directory.appendingPathComponent(name)
            let facts = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
            let text = try Data(contentsOf: file.deletingPathExtension().appendingPathExtension("eml"))
            return Mail(
                from: facts["from"] as? String ?? "", to: facts["to"] as? [String] ?? [],
                isSecure: facts["secure"] as? Bool ?? false, user: facts["user"] as? String ?? "",
                text: String(decoding: text, as: UTF8.self).replacing("\r\n", with: "\n"))
        }
    }

    private static let makeCertificates = """
        cd "$1"
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority 2>/dev/null
        openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost 2>/dev/null
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem \
            -extfile <(printf 'subjectAltName=DNS:localhost') 2>/dev/null
        """
}
