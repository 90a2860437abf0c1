import DeviceKit
import Testing

@testable import muster

@Suite("Listings")
struct PresentationTests {
    private var table: Table {
        var table = Table([
            .init(title: "DEVICE"), .init(title: "COUNT", isNumber: true), .init(title: "NOTE", mayShrink: true),
        ])
        table.add(["lobby", "7", "a note that is longer than a narrow terminal likes"])
        table.add(["front-door", "1234", ""])
        return table
    }

    @Test("cut nothing when the output goes to a file")
    func wholeTable() {
        #expect(
            table.text(width: nil, hasColour: false) == """
                DEVICE      COUNT  NOTE
                lobby           7  a note that is longer than a narrow terminal likes
                front-door   1234

                """)
    }

    @Test("fit a narrow terminal and show that something is missing")
    func narrowTable() {
        let lines = table.text(width: 40, hasColour: false).split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 40 })
        #expect(lines[1] == "lobby           7  a note that is longe…")
    }

    @Test("colour only the heading, and only when asked")
    func colour() {
        #expect(table.text(width: nil, hasColour: true).hasPrefix("\u{1B}[1mDEVICE"))
        #expect(!table.text(width: nil, hasColour: false).contains("\u{1B}"))
    }

    @Test("show control characters of a device instead of obeying them")
    func escapes() {
        #expect(PlainText.escaped("a\u{1B}[2Jb\rc\u{202E}") == "a\\u{1b}[2Jb\\u{d}c\\u{202e}")
        var table = Table([.init(title: "NAME")])
        table.add(["\u{1B}]0;title\u{7}"])
        #expect(!table.text(width: nil, hasColour: false).contains("\u{1B}"))
    }

    @Test("give wide characters two columns")
    func wideCharacters() {
        #expect(PlainText.width("田中") == 4)
        #expect(PlainText.width("Nguyễn") == 6)
        #expect(PlainText.cut("田中太郎", to: 5) == "田中…")
        #expect(PlainText.cut("short", to: 5) == "short")
    }

    @Test(
        "quote what CSV needs quoted, and disarm formulas",
        arguments: [
            ("plain", "plain"), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-5", "-5"), ("+84 123", "'+84 123"), ("-x", "'-x"),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""), ("", ""),
        ])
    func csv(field: String, written: String) {
        #expect(CSV.line([field, "z"]) == written + ",z\r\n")
    }

    @Test("are the same rows in every format")
    func formats() {
        var listing = Listing([("name", .init(title: "NAME")), ("count", .init(title: "COUNT", isNumber: true))])
        for (name, count) in [("a", 1), ("b", 2)] {
            var json = JSONObjectWriter()
            json.member("name", name)
            json.member("count", count)
            listing.add([name, String(count)], json: json.finish())
        }
        #expect(listing.text(.csv) == "name,count\r\na,1\r\nb,2\r\n")
        #expect(listing.text(.jsonl) == "{\"name\":\"a\",\"count\":1}\n{\"name\":\"b\",\"count\":2}\n")
        #expect(listing.text(.json) == "[\n  {\"name\":\"a\",\"count\":1},\n  {\"name\":\"b\",\"count\":2}\n]\n")
        #expect(Listing([("name", .init(title: "NAME"))]).text(.json) == "[]\n")
    }
}

@Suite("Punches as they arrive")
struct ArrivalViewTests {
    private func punches(_ device: String, _ count: Int, _ source: Punch.Source) throws -> [Punch] {
        let id = try #require(DeviceID(device))
        let noon = try #require(LocalDateTime("2026-11-24 12:00:00"))
        return (0..<count).map { index in
            let record = PunchRecord(
                code: String(100 + index), localTime: noon.advanced(bySeconds: Int64(index)),
                direction: Direction(.in, raw: 0), verification: Verification(.fingerprint, raw: 1))
            return Punch(
                device: id, time: Instant(secondsSince1970: Int64(index)), record: record, source: source,
                receivedAt: Instant(secondsSince1970: 0))
        }
    }

    @Test("each captured punch has its line, a long read of a log has one")
    func summary() throws {
        var view = ArrivalView()
        let text = view.text(try punches("gate", 3_000, .poll) + punches("lobby", 20, .capture))
        let lines = text.split(separator: "\n")
        #expect(lines.first == "gate: 3000 punches from the terminal's log")
        #expect(lines.count { $0.contains("lobby") } == 20)
        #expect(lines.count { $0.contains("gate") } == 1)
    }

    @Test("a short read is shown punch by punch")
    func shortRead() throws {
        var view = ArrivalView()
        let text = view.text(try punches("gate", ArrivalView.readableCount, .poll))
        #expect(text.split(separator: "\n").count { $0.contains("gate") && $0.contains("2026-11-24 12:00:0") } == 10)
    }
}
