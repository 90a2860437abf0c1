import DeviceKit
import Foundation
import Testing

@testable import MusterHost

@Suite("Watching the files of a configuration")
struct WatchingTests {
    private let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-watch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { directory.appendingPathComponent(name).path }
    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    @Test("files are read when they have been quiet, and not while one is written in place")
    func settling() {
        var settling = ChangeSettling()
        #expect(settling.deadline == nil)
        settling.note(.settled("a"), at: .seconds(1))
        #expect(settling.deadline == .milliseconds(1_300))
        settling.note(.written("b"), at: .seconds(2))
        #expect(settling.deadline == .seconds(12))
        let isEarly = settling.takeDue(at: .seconds(3))
        #expect(!isEarly)
        settling.note(.settled("b"), at: .seconds(4))
        let isDue = settling.takeDue(at: .milliseconds(4_300))
        #expect(isDue)
        #expect(settling.deadline == nil)
        // Written without end.
        for second in 0..<100 { settling.note(.written("log"), at: .seconds(second)) }
        #expect(settling.deadline == .seconds(60))
    }

    @Test("a change is believed when it looks the same twice")
    func looks() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        try write("muster.yaml", "data: a\n")
        let sources = ConfigurationSources(files: [path("muster.yaml")], patterns: [path("devices.d/*.yaml")])
        var look = Look(path("muster.yaml"))
        look.follow((sources, FileStamps(sources)))
        #expect(look.directories == [directory.path + "/", path("devices.d") + "/"])
        let look1 = look.isChanged(at: .seconds(1), since: FileStamps(sources))
        #expect(!look1)
        #expect(look.deadline == .seconds(61))
        let before = FileStamps(sources)
        try FileManager.default.createDirectory(atPath: path("devices.d"), withIntermediateDirectories: true)
        try write("devices.d/one.yaml", "devices: {}\n")
        look.heard(.init(name: "audit.jsonl", isUnfinished: true), at: .seconds(2))
        #expect(look.deadline == .seconds(61), "others' files do not matter")
        look.heard(.init(name: "one.yaml", isUnfinished: false), at: .seconds(2))
        let look2 = look.isChanged(at: .seconds(2), since: before)
        #expect(!look2)
        let look3 = look.isChanged(at: .milliseconds(2_300), since: before)
        #expect(!look3)
        let look4 = look.isChanged(at: .milliseconds(2_600), since: before)
        #expect(look4)
        let after = FileStamps(sources)
        let look5 = look.isChanged(at: .seconds(70), since: after)
        #expect(!look5)
    }

    @Test("a file that goes, comes or grows is a change")
    func stamps() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let sources = ConfigurationSources(files: [path("muster.yaml")], patterns: [])
        let none = FileStamps(sources)
        try write("muster.yaml", "a")
        let first = FileStamps(sources)
        #expect(first != none && first == FileStamps(sources))
        try write("muster.yaml", "ab")
        #expect(FileStamps(sources) != first)
        try FileManager.default.removeItem(atPath: path("muster.yaml"))
        #expect(FileStamps(sources) == none)
    }

    #if canImport(Glibc)
        @Test("events of the system are read, and cut ones end the reading")
        func decoding() {
            func event(_ mask: UInt32, _ name: String, padding: Int) -> [UInt8] {
                var writer = ByteWriter()
                writer.u32(1)
                writer.u32(mask)
                writer.u32(0)
                writer.u32(UInt32(name.utf8.count + padding))
                writer.append(Array(name.utf8) + Array(repeating: 0, count: padding))
                return writer.bytes
            }
            let bytes = event(2, "muster.yaml", padding: 5) + event(0x400, "", padding: 0) + event(8, "x", padding: 15)
            let all = [
                DirectoryWatch.Event(name: "muster.yaml", isUnfinished: true),
                DirectoryWatch.Event(name: "", isUnfinished: false),
                DirectoryWatch.Event(name: "x", isUnfinished: false),
            ]
            #expect(DirectoryWatch.decode(bytes[...]) == all)
            for end in bytes.indices { #expect(DirectoryWatch.decode(bytes[..<end]).count < 3) }
            #expect(DirectoryWatch.decode([1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255][...]).isEmpty)
        }

        @Test("the system tells of a file that is replaced", .timeLimit(.minutes(1)))
        func watch() async throws {
            defer { try? FileManager.default.removeItem(at: directory) }
            let watch = try #require(DirectoryWatch())
            watch.watch([directory.path])
            try write("new", "a")
            try FileManager.default.moveItem(atPath: path("new"), toPath: path("muster.yaml"))
            for await event in watch.events where event.name == "muster.yaml" {
                #expect(!event.isUnfinished)
                break
            }
            watch.close()
        }
    #endif
}
