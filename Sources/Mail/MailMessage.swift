public import DeviceKit

/// A message of plain text as it goes over the wire: RFC 5322 with MIME, lines ended by CR LF, everything in ASCII.
///
/// Whatever the texts hold, they cannot add a header: control characters become spaces, other letters become encoded
/// words (RFC 2047), the body is quoted-printable.
public struct MailMessage: Sendable, Hashable {
    public var from: MailAddress
    public var to: [MailAddress]
    public var subject: String
    /// Lines end with a line feed.
    public var text: String
    public var date: Instant
    /// Unique for ever, without the angle brackets: `17.3.b71f@host`.
    public var id: String
    /// Ids of earlier messages of the same conversation, the oldest first: mail programs show them together.
    public var references: [String]
    /// Written by a program: no program should answer it.
    public var isAutomatic = true
    public var isUrgent = false

    public init(
        from: MailAddress, to: [MailAddress], subject: String, text: String, date: Instant, id: String,
        references: [String] = []
    ) {
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
        self.date = date
        self.id = id
        self.references = references
    }

    public var bytes: [UInt8] {
        var headers = [
            ("Date", MailDate.text(date)), ("From", MailHeader.address(from)),
            ("To", to.map(MailHeader.address).joined(separator: ", ")), ("Subject", MailHeader.text(subject)),
            ("Message-ID", "<\(MailHeader.id(id))>"),
        ]
        if let last = references.last {
            headers.append(("In-Reply-To", "<\(MailHeader.id(last))>"))
            headers.append(("References", references.map { "<\(MailHeader.id($0))>" }.joined(separator: " ")))
        }
        if isAutomatic { headers.append(("Auto-Submitted", "auto-generated")) }
        if isUrgent { headers += [("Importance", "high"), ("X-Priority", "1")] }
        headers += [
            ("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "quoted-printable"),
        ]
        let head = headers.map { MailHeader.folded($0, $1) }.joined()
        return Array(head.utf8) + [0x0D, 0x0A] + QuotedPrintable.encode(text)
    }
}

/// What stands after the colon of a header.
enum MailHeader {
    /// Lines should not be longer; encoded words must not.
    private static let lineLength = 76

    /// Printable ASCII as it is; else encoded words.
    static func text(_ text: String) -> String {
        let clean = String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
        let isPlain =
            clean.utf8.allSatisfy { $0 < 0x7F } && !clean.contains("=?")
            && clean.split(separator: " ").allSatisfy { $0.utf8.count <= 500 }
        return isPlain ? clean : encodedWords(clean)
    }

    static func address(_ address: MailAddress) -> String {
        guard let name = address.name else { return address.address }
        let isAtom = name.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x20
        }
        return "\(isAtom ? name : encodedWords(name)) <\(address.address)>"
    }

    /// Ids are made by this program; what does not belong in one is left out all the same.
    static func id(_ text: String) -> String {
        text.filter { $0.isASCII && ($0.isLetter || $0.isNumber || ".-_@".contains($0)) }
    }

    /// Base64 in pieces of whole characters, each short enough for a line.
    private static func encodedWords(_ text: String) -> String {
        var words: [String] = []
        var piece: [UInt8] = []
        for scalar in text.unicodeScalars {
            let next = Array(String(scalar).utf8)
            if piece.count + next.count > 42 {
                words.append(word(piece))
                piece = []
            }
            piece += next
        }
        if !piece.isEmpty { words.append(word(piece)) }
        return words.joined(separator: " ")
    }

    private static func word(_ bytes: [UInt8]) -> String { "=?UTF-8?B?\(Base64.encode(bytes))?=" }

    /// The header with its line ends; long values go on in lines that begin with a space.
    static func folded(_ name: String, _ value: String) -> String {
        var lines: [String] = []
        var line = "\(name):"
        for word in value.split(separator: " ") {
            if line.utf8.count + 1 + word.utf8.count > lineLength, !line.hasSuffix(":") {
                lines.append(line)
                line = ""
            }
            line += " \(word)"
        }
        return (lines + [line]).map { "\($0)\r\n" }.joined()
    }
}

/// `Wed, 25 Nov 2026 18:00:00 +0000`.
enum MailDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    static func text(_ instant: Instant) -> String {
        let local = DeviceTimeZone.utc.localTime(at: instant)
        let date = local.date
        // The time is in the middle of `2026-11-25 18:00:00`.
        let time = local.description.split(separator: " ").last ?? "00:00:00"
        return "\(days[date.weekday]), \(date.day) \(months[date.month - 1]) \(year(date.year)) \(time) +0000"
    }

    private static func year(_ year: Int) -> String {
        let digits = String(year)
        return String(repeating: "0", count: max(4 - digits.count, 0)) + digits
    }
}
