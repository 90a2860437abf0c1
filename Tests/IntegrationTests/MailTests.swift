import DeviceKit
import Foundation
import Testing

@testable import Mail

@Suite("Mail, against aiosmtpd", .timeLimit(.minutes(2)))
struct MailDeliveryTests {
    private func message(to recipients: [String] = ["ops@example.com"]) throws -> MailMessage {
        MailMessage(
            from: try #require(MailAddress("Muster <muster@example.com>")),
            to: try recipients.map { try #require(MailAddress($0)) }, subject: "Cổng 2 ✓",
            text: "first line\n.\n..two dots\nviệt\n", date: Instant(secondsSince1970: 1_795_629_645),
            id: "1.1.abc@example.com", references: ["1.0.abc@example.com"])
    }

    private func options(_ server: MailServer, _ security: SMTPOptions.Security = .none) -> SMTPOptions {
        var options = SMTPOptions(
            host: security == .none ? "127.0.0.1" : "localhost", port: UInt16(server.port), security: security)
        options.clientName = "muster.example.com"
        if security != .none { options.authority = server.directory.appendingPathComponent("ca.pem").path }
        return options
    }

    @Test("arrives whole: dots, letters, headers, all recipients in one transaction")
    func plain() async throws {
        try await MailServer.with { server in
            let refused = try await SMTPClient(options(server)).send(
                try message(to: ["a@example.com", "B <b@example.com>"]))
            #expect(refused == [])
            let mails = try server.mails()
            let mail = try #require(mails.first)
            #expect(mails.count == 1)
            #expect(mail.from == "muster@example.com")
            #expect(mail.to == ["a@example.com", "b@example.com"])
            #expect(mail.header("To") == "a@example.com, B <b@example.com>")
            #expect(mail.header("Message-ID") == "<1.1.abc@example.com>")
            #expect(mail.header("References") == "<1.0.abc@example.com>")
            #expect(mail.header("Date") == "Wed, 25 Nov 2026 18:00:45 +0000")
            let script = """
                import email, email.policy, sys
                mail = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
                print(mail["subject"]); print(mail["from"].addresses[0].display_name); print(mail.get_content(), end="")
                print(len(mail.defects))
                """
            let read = try await ChildProcess.run(
                "/usr/bin/env", ["python3", "-c", script, server.directory.appendingPathComponent("001.eml").path])
            #expect(read.text == "Cổng 2 ✓\nMuster\nfirst line\n.\n..two dots\nviệt\n\n0\n", "\(read.standardError)")
        }
    }

    @Test(
        "STARTTLS and TLS with an authority of our own, and who logs in", arguments: [MailServer.Mode.starttls, .tls])
    func secure(_ mode: MailServer.Mode) async throws {
        try await MailServer.with(mode, user: "muster", password: "s3cret") { server in
            let security: SMTPOptions.Security = mode == .tls ? .tls : .startTLS
            var good = options(server, security)
            good.credentials = .init(user: "muster", password: "s3cret")
            let letter = try message()
            #expect(try await SMTPClient(good).send(letter) == [])
            let mail = try #require(try server.mails().first)
            #expect(mail.isSecure)
            #expect(mail.user == "muster")

            var wrong = good
            wrong.credentials = .init(user: "muster", password: "canary-7d1f")
            let refusal = await #expect(throws: MailError.self) { try await SMTPClient(wrong).send(letter) }
            #expect(refusal?.kind == .refused)
            #expect(refusal?.message.contains("canary-7d1f") == false)

            var stranger = good
            stranger.authority = nil
            let distrust = await #expect(throws: MailError.self) { try await SMTPClient(stranger).send(letter) }
            #expect(distrust?.kind == .security)

            var otherName = good
            otherName.host = "127.0.0.1"
            let mismatch = await #expect(throws: MailError.self) { try await SMTPClient(otherName).send(letter) }
            #expect(mismatch?.kind == .security)
            #expect(try server.mails().count == 1)
        }
    }

    @Test("a server without STARTTLS is given nothing")
    func noDowngrade() async throws {
        try await MailServer.with { server in
            var options = options(server)
            options.security = .startTLS
            let letter = try message()
            let error = await #expect(throws: MailError.self) { try await SMTPClient(options).send(letter) }
            #expect(error?.kind == .security)
            let mails = try server.mails()
            #expect(mails.isEmpty)
        }
    }

    @Test("one refused recipient does not keep it from the others; all refused is an error")
    func recipients() async throws {
        try await MailServer.with { server in
            let client = SMTPClient(options(server))
            let refused = try await client.send(
                try message(to: ["a@example.com", "gone@example.com", "b@example.com"]))
            #expect(refused.map(\.address) == ["gone@example.com"])
            #expect(refused.first?.reason.contains("550") == true)
            #expect(try server.mails().map(\.to) == [["a@example.com"], ["b@example.com"]])
            let gone = await #expect(throws: MailError.self) {
                try await client.send(try message(to: ["gone@example.com", "gone2@example.com"]))
            }
            #expect(gone?.kind == .refused)
            let later = await #expect(throws: MailError.self) {
                try await client.send(try message(to: ["later@example.com"]))
            }
            #expect(later?.kind == .transient)
        }
    }

    @Test("nobody there, somebody who says nothing, and a host that stops")
    func silence() async throws {
        let letter = try message()
        var nobody = SMTPOptions(host: "127.0.0.1", port: UInt16(try FreePort.next()), security: .none)
        let refused = await #expect(throws: MailError.self) { try await SMTPClient(nobody).send(letter) }
        #expect(refused?.kind == .transient)
        // Takes connections, says here that it did, and never speaks to them.
        let mute = try BackgroundProcess(
            "/usr/bin/env",
            [
                "python3", "-c",
                """
                import socket, sys, threading
                s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5)
                print(s.getsockname()[1], flush=True)
                held = []
                def take():
                    while True:
                        held.append(s.accept()); print("met", flush=True)
                threading.Thread(target=take, daemon=True).start(); sys.stdin.read()
                """,
            ])
        defer { mute.stop() }
        nobody.port = try #require(UInt16(try await mute.line()))
        nobody.timeout = .milliseconds(700)
        let late = await #expect(throws: MailError.self) { try await SMTPClient(nobody).send(letter) }
        #expect(late?.kind == .transient)
        #expect(try await mute.line() == "met")
        nobody.timeout = .seconds(60)
        let options = nobody
        let sending = Task { () -> MailError.Kind? in
            do throws(MailError) {
                _ = try await SMTPClient(options).send(letter)
                return nil
            } catch {
                return error.kind
            }
        }
        #expect(try await mute.line() == "met")
        sending.cancel()
        #expect(await sending.value == .cancelled)
    }
}
