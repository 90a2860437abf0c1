import DeviceKit
import Testing

@testable import Mail

@Suite("Messages as they go over the wire")
struct MailMessageTests {
    private func message(_ subject: String = "Gate 2", text: String = "one\ntwo\n") throws -> MailMessage {
        MailMessage(
            from: try #require(MailAddress("Muster <muster@example.com>")),
            to: [try #require(MailAddress("ops@example.com")), try #require(MailAddress("Zoë <zoe@example.com>"))],
            subject: subject, text: text, date: Instant(secondsSince1970: 1_795_629_645), id: "17.1.abc@example.com")
    }

    private func lines(_ message: MailMessage) -> [String] {
        String(decoding: message.bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
            .map { String($0) }
    }

    @Test("headers, an empty line, the text")
    func plain() throws {
        #expect(
            lines(try message()) == [
                "Date: Wed, 25 Nov 2026 18:00:45 +0000", "From: Muster <muster@example.com>",
                "To: ops@example.com, =?UTF-8?B?Wm/Dqw==?= <zoe@example.com>", "Subject: Gate 2",
                "Message-ID: <17.1.abc@example.com>", "Auto-Submitted: auto-generated", "MIME-Version: 1.0",
                "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "", "one",
                "two", "", "",
            ])
    }

    @Test("a reply names what it answers")
    func thread() throws {
        var reply = try message()
        reply.references = ["17.1.abc@example.com", "17.2.abc@example.com"]
        #expect(lines(reply).contains("In-Reply-To: <17.2.abc@example.com>"))
        #expect(lines(reply).contains("References: <17.1.abc@example.com> <17.2.abc@example.com>"))
    }

    @Test(
        "no text can add a header",
        arguments: [
            "x\r\nBcc: all@example.com", "x\nBcc: all@example.com", "x\r\n\r\nbody", "é\r\nBcc: a@b", "x\u{0}y",
        ])
    func injection(_ subject: String) throws {
        let lines = lines(try message(subject))
        let end = try #require(lines.firstIndex(of: ""))
        let names = lines[..<end].filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != ":" } }
        #expect(names.sorted() == headerNames.sorted())
        #expect(!lines[..<end].joined().contains("\n"))
    }

    private var headerNames: [Substring] {
        [
            "Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
            "Content-Transfer-Encoding",
        ]
    }

    @Test("letters outside of ASCII are encoded words of at most 75 characters, whole letters each")
    func encodedWords() throws {
        let subject = String(repeating: "Cổng số 2 mất kết nối ", count: 8)
        let lines = lines(try message(subject))
        let start = try #require(lines.firstIndex { $0.hasPrefix("Subject:") })
        let end = try #require(lines.firstIndex { $0.hasPrefix("Message-ID:") })
        let words = lines[start..<end].joined().dropFirst("Subject:".count).split(separator: " ")
        #expect(words.count > 2)
        for word in words {
            #expect(word.utf8.count <= 75)
            #expect(word.hasPrefix("=?UTF-8?B?") && word.hasSuffix("?="))
        }
        #expect(lines[start..<end].allSatisfy { $0.utf8.count <= 78 })
    }

    @Test("long ASCII subjects are folded, and words that look encoded are encoded")
    func folding() throws {
        let lines = lines(try message(String(repeating: "device front-door ", count: 20)))
        #expect(lines.allSatisfy { $0.utf8.count <= 78 })
        #expect(self.lines(try message("=?UTF-8?B?eA==?=")).contains("Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?="))
    }

    @Test("the body is quoted-printable: long lines break, other bytes are hexadecimal, trailing spaces stay")
    func quotedPrintable() {
        func encode(_ text: String) -> String { String(decoding: QuotedPrintable.encode(text), as: UTF8.self) }
        #expect(encode("a=b é ") == "a=3Db =C3=A9=20\r\n")
        #expect(encode("a\n.\nb") == "a\r\n.\r\nb\r\n")
        let long = encode(String(repeating: "x", count: 160)).split(separator: "\r\n")
        #expect(long.map(\.utf8.count) == [76, 76, 10])
        #expect(encode("tab\tand\r") == "tab=09and=0D\r\n")
    }

    @Test(
        "base64 after RFC 4648",
        arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
    func base64(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
    }
}

@Suite("Mail addresses")
struct MailAddressTests {
    @Test("with and without a name")
    func good() throws {
        #expect(MailAddress("ops@example.com")?.address == "ops@example.com")
        let named = try #require(MailAddress("Night shift <night+1@mail.example.com>"))
        #expect(named.name == "Night shift")
        #expect(named.address == "night+1@mail.example.com")
        #expect(named.domain == "mail.example.com")
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "ops", "@example.com", "ops@", "ops@a@b", "a b@example.com", "a@b>", "<a@b", "a@b\r\nBcc: c@d",
            "x\r\ny <a@b>", "a,b@example.com", "ops@.example.com", "ổ@example.com", "\"a\"@b",
        ])
    func bad(_ text: String) {
        #expect(MailAddress(text) == nil)
    }
}
