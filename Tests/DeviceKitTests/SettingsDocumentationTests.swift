import DeviceKit
import Testing

private enum Format: String, CaseIterable {
    case auto
    case bytes8 = "8"
}

@Suite("What a schema tells people and editors")
struct SettingsDocumentationTests {
    private let schema = SettingsSchema(
        Setting.host("address", "Host of the terminal."),
        Setting.port("port", default: 4370, "TCP port."),
        Setting.duration("timeout", default: .seconds(90), in: .seconds(1) ... .seconds(120), "Limit of an answer."),
        Setting.optionalString("name", "What people call it.", example: "Gate"),
        Setting.choice("format", default: Format.auto, "Record form."),
        Setting.secret("password", default: Secret("0"), "Comm key."))

    @Test("the JSON Schema has every key and no other, with description and default")
    func jsonSchema() {
        #expect(
            schema.jsonSchema.text() == #"""
                {"type":"object","properties":{"address":{"type":"string","minLength":1,"maxLength":253,\#
                "description":"Host of the terminal."},"port":{"type":["integer","string"],"minimum":1,"maximum":65535,\#
                "pattern":"\\$\\{","description":"TCP port.","default":4370},"timeout":{"type":"string","pattern":\#
                "^(?:(?=.)(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?)$|\\$\\{",\#
                "description":"Limit of an answer.","default":"1m30s"},"name":{"type":["string","number","boolean"],\#
                "minLength":1,"maxLength":1024,"description":"What people call it."},"format":{"anyOf":[{"enum":\#
                ["auto","8",8]},{"type":"string","pattern":"\\$\\{"}],"description":"Record form.","default":"auto"},\#
                "password":{"type":["string","integer"],"writeOnly":true,"description":"Comm key.",\#
                "default":"0"}},"required":["address"],"additionalProperties":false}
                """#)
    }

    @Test("the table says what holds when a key is not given")
    func table() {
        #expect(
            schema.markdownTable == """
                | Key | Type | Default | Meaning |
                |---|---|---|---|
                | address | host name or address | required | Host of the terminal. Example: 192.168.1.201. |
                | port | port 1…65535 | 4370 | TCP port. |
                | timeout | duration 1s…2m | 1m30s | Limit of an answer. |
                | name | text | none | What people call it. Example: Gate. |
                | format | one of auto, 8 | auto | Record form. |
                | password | secret text | "0" | Comm key. |
                """)
    }

    @Test("the sample has required keys live and the others as comments")
    func sample() {
        #expect(
            schema.sample(indent: 2, live: ["name": "Yard"]) == """
                  # Host of the terminal. (host name or address)
                  address: 192.168.1.201
                  # TCP port. (port 1…65535)
                  # port: 4370
                  # Limit of an answer. (duration 1s…2m)
                  # timeout: 1m30s
                  # What people call it. (text)
                  name: Yard
                  # Record form. (one of auto, 8)
                  # format: auto
                  # Comm key. (secret text)
                  # password: "0"
                """)
    }

    @Test(
        "values that YAML would take for something else are quoted",
        arguments: [
            (JSONNode.string("abc"), "abc"), ("no", #""no""#), ("7", #""7""#), ("", #""""#), ("a: b", #""a: b""#),
            ("10s", "10s"), ("./x", "./x"), ("*/5 * * * *", #""*/5 * * * *""#), (.integer(7), "7"),
            (.strings(["a", "b"]), #"["a","b"]"#),
        ])
    func yamlText(value: JSONNode, expected: String) { #expect(value.yamlText == expected) }

    @Test("JSON keeps the order of members and escapes texts")
    func json() {
        let node = JSONNode.object([
            "b": 1, "a": ["x\"\n", true, .null, .number(0.5)], "left out": nil, "empty": .array([]),
        ])
        #expect(node.text() == #"{"b":1,"a":["x\"\n",true,null,0.5],"empty":[]}"#)
        #expect(node.text(pretty: true).split(separator: "\n").prefix(3) == ["{", #"  "b": 1,"#, #"  "a": ["#])
    }
}
