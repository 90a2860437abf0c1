import DeviceKit
import Foundation
import MusterHost
import Testing

@Suite("Files of a configuration on disk")
struct ConfigurationFilesTests {
    /// Makes a directory whose name has the characters of a pattern, and removes it afterwards.
    private func inDirectory(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let directory = NSTemporaryDirectory() + "muster [\(UUID().uuidString)]*/"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for (name, text) in files {
            let path = directory + name
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }
        try body(directory)
    }

    @Test("a pattern matches files in order, neither hidden ones nor directories, whatever the directory is called")
    func patterns() throws {
        let device = "{driver: simulator}"
        let files = [
            "muster.yaml": "timezone: UTC\ninclude: d/*.yaml\n",
            "d/b.yaml": "devices: {b: \(device)}", "d/a.yaml": "devices: {a: \(device)}", "d/.c.yaml": "devices: [",
            "d/d.yaml/inner.txt": "", "d/e.yaml~": "devices: [",
        ]
        try inDirectory(files) { directory in
            let loader = ConfigurationLoader(drivers: testDrivers, sinks: testSinks, environment: [:])
            let loading = loader.load(directory + "muster.yaml")
            #expect(loading.report.text == "")
            #expect(loading.configuration?.devices.map(\.id.name) == ["a", "b"])
            #expect(loading.configuration?.baseDirectory == directory)
        }
    }

    @Test("says in the system's words why a file cannot be read")
    func unreadable() throws {
        try inDirectory(["x.yaml": "a"]) { directory in
            #expect(throws: FileProblem(reason: "no such file or directory")) {
                try SystemFiles().read(directory + "none", limit: 10)
            }
            #expect(throws: FileProblem(reason: "is a directory")) { try SystemFiles().read(directory, limit: 10) }
        }
    }

    @Test("reads one byte more than the limit and no further")
    func limit() throws {
        try inDirectory(["x": "0123456789"]) { directory in
            let files = SystemFiles()
            let whole = try files.read(directory + "x", limit: 10)
            let cut = try files.read(directory + "x", limit: 4)
            let endless = try files.read("/dev/zero", limit: 100_000)
            #expect(whole.count == 10)
            #expect(cut == Array("01234".utf8))
            #expect(endless.count == 100_001)
        }
    }
}
