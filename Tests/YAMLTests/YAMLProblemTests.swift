import DeviceKit
import Testing
import YAML

@Suite("YAML problems")
struct YAMLProblemTests {
    /// `line:column code` of every problem.
    private func problems(_ text: String, limits: YAMLReader.Limits = .init()) -> [String] {
        readYAML(text, limits: limits).diagnostics.map { "\($0.mark.line):\($0.mark.column) \($0.code)" }
    }

    @Test(
        "names the place of each problem",
        arguments: [
            ("a: [1, 2\nb: 3\n", "2:2 yaml-syntax"),
            ("a:\n\tb: 1\n", "2:1 yaml-syntax"),
            ("a: b: c\n", "1:5 yaml-syntax"),
            ("a: 'open\n", "2:1 yaml-syntax"),
            ("a: 1\n b: 2\n", "2:3 yaml-syntax"),
            ("a: @x\n", "1:4 yaml-syntax"),
            ("a: 1\n---\nb: 2\n", "2:1 several-documents"),
            ("a: *x\n", "1:4 alias"),
            ("a: &x [1, *x]\n", "1:11 alias"),
            ("a: !!str 1\n", "1:4 tag"),
            ("a: !!python/object:os.system x\n", "1:4 tag"),
            ("? [a, b]\n: 1\n", "1:3 wrong-key"),
            ("'': 1\n", "1:1 wrong-key"),
            ("a: \u{7}\n", "1:4 encoding"),
        ])
    func places(text: String, expected: String) { #expect(problems(text) == [expected]) }

    @Test("reports each key that is given twice and keeps the first")
    func duplicates() {
        let reading = readYAML("a: 1\nb: {c: 1, c: 2}\na: 3\n'a': 4\n")
        #expect(
            reading.diagnostics.map(\.summary) == [
                "a.yaml:2:11: error: b.c: the key is given twice, first in line 2",
                "a.yaml:3:1: error: a: the key is given twice, first in line 1",
                "a.yaml:4:1: error: a: the key is given twice, first in line 1",
            ])
        #expect(leaves(reading.root) == ["a=1@1:4", "b.c=1@2:8"])
    }

    @Test("shows the line, a caret and what to do")
    func rendering() {
        #expect(
            readYAML("a:\n\tb: 1\n").diagnostics.map(\.description) == [
                """
                a.yaml:2:1: error: found character that cannot start any token, while scanning for the next token
                    \tb: 1
                    ^
                    hint: indent with spaces; YAML does not allow tabs
                """
            ])
        #expect(readYAML("a: {b: ${X}}").diagnostics.first?.hint == "inside { } and [ ] a text with ${…} needs quotes")
    }

    @Test("names the place of bytes that are not UTF-8")
    func encoding() {
        let reading = YAMLReader.read(bytes: Array("a: 1\nbc: ".utf8) + [0xFF, 0x0A], file: "a.yaml")
        #expect(reading.root == nil)
        #expect(reading.diagnostics.map { "\($0.mark) \($0.code)" } == ["a.yaml:2:5 encoding"])
        let wide = YAMLReader.read(bytes: [0xFF, 0xFE, 0x61, 0x00], file: "a.yaml")
        #expect(wide.diagnostics.map(\.hint) == ["save it as UTF-8"])
    }

    @Test("refuses a file that is too large")
    func size() {
        var limits = YAMLReader.Limits()
        limits.byteCount = 4
        #expect(problems("a: 1", limits: limits) == [])
        #expect(problems("a: 12", limits: limits) == ["0:0 too-large"])
    }

    @Test("refuses values nested deeper than 32, in lists, mappings and aliases")
    func depth() {
        #expect(problems(String(repeating: "[", count: 32) + String(repeating: "]", count: 32)) == [])
        #expect(problems(String(repeating: "[", count: 33)) == ["1:33 too-deep"])
        #expect(problems(String(repeating: "{a: ", count: 33)) == ["1:129 too-deep"])
        let chain = "a0: &a0 []\n" + (1...40).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined()
        #expect(problems(chain).map { $0.suffix(8) } == ["too-deep"])
        #expect(problems(String(repeating: "[", count: 100_000)) == ["1:33 too-deep"])
    }

    @Test("stops an alias bomb")
    func aliasBomb() {
        let bomb =
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + (1...9).map { level in
                "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", "))]\n"
            }.joined()
        #expect(problems(bomb).map { $0.suffix(9) } == ["too-large"])
    }

    @Test("counts every value, aliased ones too")
    func nodeCount() {
        var limits = YAMLReader.Limits()
        limits.nodeCount = 5
        #expect(problems("[1, 2, 3, 4]", limits: limits) == [])
        #expect(problems("[1, 2, 3, 4, 5]", limits: limits) == ["1:14 too-large"])
        #expect(problems("[&a 1, *a, *a, *a, *a]", limits: limits) == ["1:20 too-large"])
    }

    @Test("ends after many problems")
    func manyProblems() {
        var limits = YAMLReader.Limits()
        limits.diagnosticCount = 2
        #expect(
            problems("a: 1\na: 2\na: 3\na: 4\n", limits: limits) == [
                "2:1 duplicate-key", "3:1 duplicate-key", "4:1 too-many",
            ])
    }

    @Test("shows no control characters of a file on the terminal")
    func controlCharacters() {
        let reading = readYAML("a: \u{1B}[31m\n")
        #expect(reading.diagnostics.count == 1)
        #expect(reading.diagnostics.allSatisfy { !$0.description.contains("\u{1B}") })
    }
}
