import DeviceKit
import Testing

@testable import muster

@Suite("Rows from other systems")
struct ImportRowTests {
    @Test("our own JSON comes back as it was")
    func ownJSON() throws {
        let line = """
            {"device":"lobby","code":"=7","time":"2026-01-05T01:00:00Z","local_time":"2026-01-05T08:00:00","direction":"breakOut",\
            "direction_raw":2,"verification":"face","verification_raw":15,"work_code":"12","raw":{"uid":1}}
            """
        let rows = Array(RowFile(line + "\n\n[1]\n", .jsonl))
        #expect(rows.map(\.lineNumber) == [1, 3])
        let row = try rows[0].row.get()
        #expect(row.device == "lobby")
        #expect(row.code == "=7")
        #expect(row.time == Instant(rfc3339: "2026-01-05T01:00:00Z"))
        #expect(row.localTime == LocalDateTime("2026-01-05 08:00:00"))
        #expect(row.direction == Direction(.breakOut, raw: 2))
        #expect(row.verification == Verification(.face, raw: 15))
        #expect(row.workCode == "12")
        #expect(row.raw.text == #"{"uid":1}"#)
        #expect(throws: ImportRow.Problem(reason: "is no JSON object")) { try rows[1].row.get() }
    }

    @Test(
        "CSV in the forms that people have",
        arguments: [
            "user_id,timestamp,punch\r\n7,2026-01-05 08:00:00,1\r\n",
            "\u{FEFF}USER_ID;Timestamp;Punch\n7;2026-01-05 08:00:00;1",
            "code,time,direction\n\"7\",\"2026-01-05T08:00:00\",out\n\n",
            "emp_code,punch_time,punch_state,note\n7,2026-01-05 08:00,1,\"a, \"\"b\"\"\nc\"\n",
        ])
    func csvForms(text: String) throws {
        let rows = Array(RowFile(text, .csv))
        #expect(rows.count == 1)
        let row = try #require(try rows.first?.row.get())
        #expect(row.code == "7")
        #expect(row.localTime == LocalDateTime("2026-01-05 08:00:00"))
        #expect(row.time == nil)
        #expect(row.direction.kind == .out)
        #expect(row.device == nil)
    }

    @Test("what our CSV guards against spreadsheets is unguarded")
    func guarded() throws {
        let row = try #require(Array(RowFile("code,time\n'=7,2026-01-05T08:00:00Z\n", .csv)).first).row.get()
        #expect(row.code == "=7")
    }

    @Test("a library's numbers are found in its column of JSON")
    func rawData() throws {
        let row = try ImportRow([
            "attendance_code": "7", "timestamp": "2026-01-05T08:00:00.123+07:00",
            "raw_data": #"{"uid": 3, "user_id": "7", "status": 15, "punch": 1}"#,
        ])
        #expect(row.direction == Direction(.out, raw: 1))
        #expect(row.verification == Verification(.face, raw: 15))
        #expect(row.time == Instant(rfc3339: "2026-01-05T01:00:00.123Z"))
    }

    @Test(
        "what the source calls invalid is invalid",
        arguments: [
            ("false", true), ("F", true), ("0", true), ("no", true), ("true", false), ("1", false), ("", false),
        ])
    func validity(text: String, expected: Bool) throws {
        let row = try ImportRow(["code": "7", "time": "2026-01-05T08:00:00Z", "is_valid": text, "notes": "'=typed"])
        #expect(row.isInvalid == expected)
        #expect(row.notes == "=typed")
        #expect(try ImportRow(["code": "7", "time": "2026-01-05T08:00:00Z"]).isInvalid == false)
        let members = try #require(ImportRow.members(of: #"{"is_valid": false, "other": true}"#))
        #expect(try ImportRow(members.merging(["code": "7", "time": "2026-01-05T08:00:00Z"]) { $1 }).isInvalid)
    }

    @Test("rows that are no punches say why, with the line where they begin")
    func problems() {
        let rows = Array(RowFile("code,time\n,2026-01-05 08:00\n7,yesterday\n\"7\n8\",2026-01-05 08:00\n7\n", .csv))
        let reasons = rows.map { row in
            if case .failure(let problem) = row.row {
                "\(row.lineNumber): \(problem.reason)"
            } else {
                "\(row.lineNumber)"
            }
        }
        #expect(
            reasons == [
                "2: no user id: looked for code, attendance_code, user_id, emp_code, pin, enroll_number",
                "3: 'yesterday' is no date and time", "4", "6: has 1 values, the first line names 2",
            ])
    }

    @Test("no bytes make the readers fail")
    func hostileText() {
        var random = SplitMix64(seed: 9)
        let alphabet = Array("\",;\n\r{}[]:'a1\0é")
        for _ in 0..<2_000 {
            let text = String(
                (0..<Int.random(in: 0...60, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a" })
            for format in [RowFile.Format.csv, .jsonl] {
                for row in RowFile(text, format) { #expect(row.lineNumber <= 61) }
            }
        }
    }
}
