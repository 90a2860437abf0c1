import DeviceKit
import Testing

@testable import Sinks

@Suite("Rows for PostgreSQL")
struct PostgresRowsTests {
    /// The last column of the row that a copy gets, without the escapes of the copy itself.
    private func raw(_ text: String) throws -> String {
        let row = String(decoding: PostgresRows.copyData([try punch(1, raw: text)][...]), as: UTF8.self)
        #expect(row.hasSuffix("\n") && row.split(separator: "\n", omittingEmptySubsequences: false).count == 2)
        return String(row.dropLast().split(separator: "\t", omittingEmptySubsequences: false).last ?? "")
            .replacing(#"\\"#, with: #"\"#)
    }

    @Test(
        "an escape that jsonb refuses becomes a replacement, everything else stays as it stands",
        arguments: [
            (#"{"a":1}"#, #"{"a":1}"#), (#"{"a":"\u0000"}"#, #"{"a":"\ufffd"}"#),
            (#""\u0041\n\"""#, #""\u0041\n\"""#), (#""c:\\u0000""#, #""c:\\u0000""#),
            (#""\ud83d\ude00""#, #""\ud83d\ude00""#), (#""\ud83d\ud83d\ude00""#, #""\ufffd\ud83d\ude00""#),
            (#""\uDC00x""#, #""\ufffdx""#), (#""\uD800\u0041""#, #""\ufffd\u0041""#), (#""\uD8"#, #""\uD8"#),
            (#"\"#, #"\"#), (#"\u"#, #"\u"#), (#"\u00g0"#, #"\u00g0"#), (#"\ud800"#, #"\ufffd"#),
        ])
    func escapes(text: String, expected: String) throws { #expect(try raw(text) == expected) }

    @Test("no text makes it fail, and what it made is left alone the second time")
    func hostileText() throws {
        var random = SplitMix64(seed: 3)
        let alphabet = Array(#"\\\\u0dD8c"#) + ["é", "\"", "0", "F"]
        for _ in 0..<2_000 {
            let text = String(
                (0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "0" })
            let once = try raw(text)
            #expect(try raw(once) == once, "\(text)")
        }
    }
}
