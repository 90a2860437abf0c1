import DeviceKit
import Foundation
import Testing
import YAML

@Suite("The fuzzer's corpus of YAML")
struct YAMLCorpusTests {
    @Test("every file gives a tree or positioned problems")
    func replay() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<2 { root.deleteLastPathComponent() }
        let files = try FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent("Fuzz/Corpus/yaml"), includingPropertiesForKeys: nil)
        #expect(files.count > 100)
        for file in files {
            let reading = YAMLReader.read(bytes: Array(try Data(contentsOf: file)), file: "corpus.yaml")
            #expect(reading.root != nil || !reading.diagnostics.isEmpty)
            #expect(reading.diagnostics.allSatisfy { $0.mark.line == 0 || $0.mark.column >= 1 })
        }
    }
}
