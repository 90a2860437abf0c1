import DeviceKit
import Testing
import YAML

/// Reads a text as the file `a.yaml`.
func readYAML(_ text: String, limits: YAMLReader.Limits = .init()) -> YAMLReader.Reading {
    YAMLReader.read(bytes: Array(text.utf8), file: "a.yaml", limits: limits)
}

/// `path=text@line:column` of every scalar, for comparisons.
func leaves(_ node: ConfigurationNode?) -> [String] {
    guard let node else { return ["nothing"] }
    let place = "@\(node.mark.line):\(node.mark.column)"
    switch node.value {
    case .null: return ["\(node.path)=null\(place)"]
    case .invalid: return ["\(node.path)=invalid\(place)"]
    case .scalar(let scalar): return ["\(node.path)=\(scalar.isQuoted ? "'\(scalar.text)'" : scalar.text)\(place)"]
    case .sequence(let nodes): return nodes.flatMap { leaves($0) }
    case .mapping(let members): return members.flatMap { leaves($0.node) }
    }
}

@Suite("YAMLReader")
struct YAMLReaderTests {
    @Test("gives every value its line, column and path")
    func positions() {
        let reading = readYAML("a: 1\nb:\n  - x\n  - {c: 'y', d: }\ne: |\n  two\n  lines\n")
        #expect(reading.diagnostics.isEmpty)
        #expect(
            leaves(reading.root) == [
                "a=1@1:4", "b[0]=x@3:5", "b[1].c='y'@4:9", "b[1].d=null@4:17", "e='two\nlines\n'@5:4",
            ])
    }

    @Test("gives every key its place and the text of its line")
    func keys() throws {
        let members = try #require(readYAML("a: 1\n  \nbcd: 2 # why\n").root).members()
        #expect(members.map(\.key) == ["a", "bcd"])
        #expect(members.last?.keyMark == SourceMark(file: "a.yaml", line: 3, column: 1, sourceLine: "bcd: 2 # why"))
    }

    @Test(
        "leaves the type of a plain text open, but nothing is nothing",
        arguments: [
            ("no", "=no@1:1"), ("007", "=007@1:1"), ("1e3", "=1e3@1:1"), ("~", "=null@1:1"), ("null", "=null@1:1"),
            ("'null'", "='null'@1:1"), ("\"\"", "=''@1:1"), ("2026-11-24", "=2026-11-24@1:1"),
        ])
    func plain(text: String, expected: String) {
        #expect(leaves(readYAML(text).root) == [expected])
    }

    @Test("reads an empty file as nothing", arguments: ["", "\n\n", "# only a comment\n", "---\n", "\u{FEFF}"])
    func empty(text: String) {
        let reading = readYAML(text)
        #expect(reading.root?.value == .null)
        #expect(reading.diagnostics.isEmpty)
    }

    @Test("a byte order mark moves no column")
    func byteOrderMark() { #expect(leaves(readYAML("\u{FEFF}a: 1").root) == ["a=1@1:4"]) }

    @Test("CRLF and CR end lines as LF does", arguments: ["\r\n", "\r", "\n"])
    func lineBreaks(lineBreak: String) throws {
        let text = "a: 1" + lineBreak + "b: x" + lineBreak
        #expect(leaves(readYAML(text).root) == ["a=1@1:4", "b=x@2:4"])
        let member = try #require(readYAML(text).root?.members().last)
        #expect(member.keyMark.sourceLine == "b: x")
    }

    @Test("columns count characters, not bytes")
    func columns() { #expect(leaves(readYAML("{tên: Đỗ, b: 2}").root) == ["tên=Đỗ@1:7", "b=2@1:14"]) }

    @Test("an alias repeats its anchor under its own path, at its own place")
    func aliases() {
        let reading = readYAML("a: &x {p: 1}\nb: *x\nc: [*x]\n")
        #expect(leaves(reading.root) == ["a.p=1@1:11", "b.p=1@1:11", "c[0].p=1@1:11"])
        guard case .mapping(let members)? = reading.root?.value else { return #expect(Bool(false)) }
        #expect(members[1].node.mark.line == 2)
        #expect(members[1].node.mark.column == 4)
    }
}
