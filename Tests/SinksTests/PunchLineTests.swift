import DeviceKit
import Testing

@testable import Sinks

@Suite("Punches as lines")
struct PunchLineTests {
    @Test("a JSON line is the punch's JSON and a line break")
    func json() throws {
        let punch = try punch(1).punch
        #expect(String(decoding: PunchLine.bytes(punch, .jsonl), as: UTF8.self) == punch.json.text + "\n")
        #expect(PunchLine.header(.jsonl).isEmpty)
    }

    @Test("a CSV line has the fields that its header names")
    func csv() throws {
        let punch = try punch(1, notes: "moved, forward", workCode: "3").punch
        let header = String(decoding: PunchLine.header(.csv), as: UTF8.self)
        #expect(
            header == """
                device,code,time,local_time,direction,direction_raw,verification,verification_raw,work_code,source,\
                received_at,is_valid,notes,raw

                """)
        #expect(
            String(decoding: PunchLine.bytes(punch, .csv), as: UTF8.self) == """
                lobby,7,2025-06-15T15:07:40Z,2025-06-15T15:07:40,in,0,fingerprint,1,3,capture,2025-06-15T15:07:41Z,\
                true,"moved, forward","{""n"":1}"

                """)
    }

    @Test("what a punch carries cannot begin a second line", arguments: PunchLine.Format.allCases)
    func lineBreaks(format: PunchLine.Format) throws {
        let punch = try punch(1, code: "1\n2", notes: "a\r\nb", raw: "{\n\"a\": 1\n}").punch
        let bytes = PunchLine.bytes(punch, format)
        #expect(bytes.filter { $0 == 0x0A }.count == 1)
        #expect(bytes.last == 0x0A)
        #expect(!bytes.contains(0x0D))
    }

    @Test(
        "a spreadsheet takes no text for a formula",
        arguments: ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
    func formulas(value: String) {
        #expect(CSVField.text(value).text.drop { $0 == "\"" }.first == "'")
        #expect(!CSVField.plain(value).text.contains("'"))
    }

    @Test(
        "quotes what would end a field",
        arguments: [
            ("plain", "plain"), ("", ""), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("a=b", "a=b"), ("Đặng", "Đặng"),
        ])
    func quoting(value: String, expected: String) {
        #expect(CSVField.text(value).text == expected)
    }
}

@Suite("Paths with places")
struct PathTemplateTests {
    @Test("the device and the local day of the punch stand where the template says")
    func places() throws {
        let template = try PathTemplate("a/{device}/{date}-{device}.jsonl")
        #expect(template.path(for: try punch(1).punch) == "a/lobby/2025-06-15-lobby.jsonl")
        #expect(template.path(for: try punch(600, device: "gate").punch) == "a/gate/2025-06-16-gate.jsonl")
        #expect(template.fixedPath == nil)
        #expect(try PathTemplate("/var/log/punches.csv").fixedPath == "/var/log/punches.csv")
    }

    @Test(
        "refuses what it does not know",
        arguments: [
            ("{device", "never closed"), ("{code}.csv", "'{code}' is unknown"), ("a/{}", "'{}' is unknown"),
            ("audit/", "directory"),
        ])
    func mistakes(text: String, message: String) {
        #expect {
            _ = try PathTemplate(text)
        } throws: { ($0 as? PathTemplate.Problem)?.message.contains(message) == true }
    }

    @Test("a mistake is reported at the key")
    func diagnostic() throws {
        let values = try FileSettings.schema.values(["path": "{code}.csv"])
        #expect {
            _ = try FileSettings(values)
        } throws: { ($0 as? ConfigurationError)?.diagnostics.first?.path == "path" }
    }
}
