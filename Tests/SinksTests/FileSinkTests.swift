import DeviceKit
import DeviceKitTesting
import Foundation
import Testing

@testable import Sinks

@Suite("The file sink")
struct FileSinkTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func sink(
        _ path: String = "punches.jsonl", format: String = "jsonl", log: any DriverLog = SilentLog()
    ) async throws -> FileSink {
        let settings = try FileSettings(try FileSettings.schema.values(["path": path, "format": format]))
        let sink = try FileSink(settings: settings, context: directory.context(log: log))
        try await sink.open()
        return sink
    }

    @Test("appends batches in order")
    func order() async throws {
        let sink = try await sink()
        #expect(try await sink.deliver(try punches(1...3)) == .allAccepted)
        _ = try await sink.deliver(try punches(4...5))
        await sink.close()
        #expect(try directory.text("punches.jsonl") == lines(try punches(1...5)))
    }

    @Test("goes on after a restart with the new punches only")
    func restart() async throws {
        _ = try await sink().deliver(try punches(1...3))
        _ = try await sink().deliver(try punches(2...5))
        #expect(try directory.text("punches.jsonl") == lines(try punches(1...5)))
    }

    @Test("makes directories and files that the group may read and others may not")
    func modes() async throws {
        _ = try await sink("a/b/punches.jsonl").deliver(try punches(1...1))
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/a/b/punches.jsonl")
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o640)
    }

    @Test("sorts punches into files by device and local day")
    func templates() async throws {
        let batch = try [punch(1), punch(2, device: "gate"), punch(3), punch(600)]
        _ = try await sink("{device}-{date}.jsonl").deliver(batch)
        #expect(
            try directory.names() == ["gate-2025-06-15.jsonl", "lobby-2025-06-15.jsonl", "lobby-2025-06-16.jsonl"])
        #expect(try directory.text("lobby-2025-06-15.jsonl") == lines([batch[0], batch[2]]))
    }

    @Test("wherever a kill cuts the last batch, its second delivery leaves every line once and whole")
    func tornEverywhere() async throws {
        let safe = try punches(1...20)
        let last = try [punch(21), punch(22, code: "Đặng, \"Q\""), punch(23)]
        let whole = lines(safe) + lines(last)
        for cut in 0...lines(last).utf8.count {
            try directory.write(whole.utf8.dropLast(cut), to: "punches.jsonl")
            _ = try await sink().deliver(last)
            #expect(try directory.text("punches.jsonl") == whole, "cut by \(cut) bytes")
        }
    }

    @Test("the second delivery may come in other portions and with new punches behind it")
    func otherPortions() async throws {
        try directory.write(lines(try punches(1...9)).utf8, to: "punches.jsonl")
        let sink = try await sink()
        _ = try await sink.deliver(try punches(5...6))
        _ = try await sink.deliver(try punches(7...12))
        #expect(try directory.text("punches.jsonl") == lines(try punches(1...12)))
    }

    @Test("remembers a whole batch of lines, and reads no more of a long file than that")
    func longTail() async throws {
        try directory.write(lines(try punches(1...5_000)).utf8, to: "punches.jsonl")
        let sink = try await sink()
        _ = try await sink.deliver(try punches(4_001...5_000))
        #expect(try directory.text("punches.jsonl") == lines(try punches(1...5_000)))
        _ = try await sink.deliver(try punches(1...1))
        #expect(try directory.text("punches.jsonl") == lines(try punches(1...5_000)) + lines(try punches(1...1)))
    }

    @Test("a punch that comes again with another direction stands once", arguments: [PunchLine.Format.jsonl, .csv])
    func otherDirection(format: PunchLine.Format) async throws {
        let directory = try TemporaryDirectory()
        let texts = ["path": "audit", "format": format.rawValue]
        var sink = try FileSink(
            settings: try FileSettings(try FileSettings.schema.values(texts)), context: directory.context())
        let batch = try (1...3 as ClosedRange<Int64>).map { try punch($0, code: #"a",7,"local_time":"#) }
        _ = try await sink.deliver(batch)
        await sink.close()
        sink = try FileSink(
            settings: try FileSettings(try FileSettings.schema.values(texts)), context: directory.context())
        try await sink.open()
        let again = batch.map { journaled in
            var punch = journaled.punch
            punch.record.direction = Direction(.out, raw: 0)
            return JournaledPunch(position: journaled.position, punch: punch)
        }
        _ = try await sink.deliver(again + [try punch(4, code: #"a",7,"local_time":"#)])
        await sink.close()
        #expect(try directory.text("audit").split(separator: "\n").count == (format == .csv ? 5 : 4))
    }

    @Test("says that it cut a torn line")
    func cutIsLogged() async throws {
        try directory.write("{\"device\":\"lob".utf8, to: "punches.jsonl")
        let log = RecordingLog()
        _ = try await sink(log: log).deliver(try punches(1...1))
        #expect(log.entries.map(\.metadata["bytes"]) == ["14"])
        #expect(try directory.text("punches.jsonl") == lines(try punches(1...1)))
    }

    @Test("a CSV file has its header once, also when the header was torn", arguments: [0, 5, 400])
    func csvHeader(keep: Int) async throws {
        let header = String(decoding: PunchLine.header(.csv), as: UTF8.self)
        let one = try punch(1)
        let line = String(decoding: PunchLine.bytes(one.punch, .csv), as: UTF8.self)
        try directory.write((header + line).utf8.prefix(keep), to: "punches.csv")
        _ = try await sink("punches.csv", format: "csv").deliver([one])
        _ = try await sink("punches.csv", format: "csv").deliver([try punch(2)])
        let text = try directory.text("punches.csv")
        #expect(text.hasPrefix(header + line))
        #expect(text.split(separator: "\n").count == 3)
    }

    @Test("a file that was moved away is made anew")
    func rotation() async throws {
        let sink = try await sink()
        _ = try await sink.deliver(try punches(1...2))
        try FileManager.default.moveItem(
            atPath: directory.path + "/punches.jsonl", toPath: directory.path + "/punches.1")
        _ = try await sink.deliver(try punches(3...4))
        #expect(try directory.text("punches.1") == lines(try punches(1...2)))
        #expect(try directory.text("punches.jsonl") == lines(try punches(3...4)))
    }

    private func rotating(_ more: [String: String] = [:]) async throws -> FileSink {
        let own = ["path": "p.jsonl", "rotate": "1000B"].merging(more) { $1 }
        let settings = try FileSettings(try FileSettings.schema.values(own))
        let sink = try FileSink(settings: settings, context: directory.context())
        try await sink.open()
        return sink
    }

    /// What stands in all files, the oldest first.
    private func allLines() async throws -> String {
        var text = ""
        for name in try directory.names().filter({ $0 != "p.jsonl" }).sorted(by: Self.isOlder) + ["p.jsonl"] {
            guard name.hasSuffix(".gz") else {
                text += try directory.text(name)
                continue
            }
            let gunzip = Process()
            let output = Pipe()
            gunzip.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            gunzip.arguments = ["gzip", "-dc", directory.path + "/" + name]
            gunzip.standardOutput = output
            try gunzip.run()
            text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        }
        return text
    }

    /// Names of one moment, which the test's clock makes of all: `p.jsonl.…Z`, `p.jsonl.…Z-2`, `p.jsonl.…Z-10`.
    private static func isOlder(_ left: String, _ right: String) -> Bool {
        func number(_ name: String) -> Int {
            Int(name.replacing(".gz", with: "").split(separator: "-").dropFirst().first ?? "1") ?? 1
        }
        return number(left) < number(right)
    }

    @Test("a long file is put aside at the start of a batch, compressed when told", arguments: ["false", "true"])
    func rotatesBySize(compress: String) async throws {
        let sink = try await rotating(["compress": compress])
        for start in stride(from: Int64(1), to: 100, by: 5) {
            _ = try await sink.deliver(try punches(start...start + 4))
        }
        let names = try directory.names()
        #expect(names.count > 10)
        #expect(names.filter { $0.hasSuffix(".gz") }.count == (compress == "true" ? names.count - 1 : 0))
        #expect(try await allLines() == lines(try punches(1...100)))
    }

    @Test("of files that were put aside the newest are kept; other people's files are not touched")
    func keeps() async throws {
        for name in ["p.jsonl.old", "p.jsonl.20260101", "q.jsonl.20260101T000000Z"] {
            try directory.write("x".utf8, to: name)
        }
        let sink = try await rotating(["keep": "2", "compress": "true"])
        for start in stride(from: Int64(1), to: 100, by: 5) {
            _ = try await sink.deliver(try punches(start...start + 4))
        }
        let names = try directory.names()
        #expect(names.filter { $0.hasSuffix(".gz") }.count == 2)
        #expect(Set(["p.jsonl", "p.jsonl.old", "p.jsonl.20260101", "q.jsonl.20260101T000000Z"]).isSubset(of: names))
    }

    @Test(
        "what a kill left to be delivered again, in any portions, does not end in the next file too", arguments: 1...10)
    func rotationAfterKill(portion: Int) async throws {
        let all = try punches(1...40)
        _ = try await rotating().deliver(Array(all[..<20]))
        // The position of that batch was not stored.
        let sink = try await rotating()
        for start in stride(from: 0, to: 40, by: portion) {
            _ = try await sink.deliver(Array(all[start..<min(start + portion, 40)]))
        }
        #expect(try await allLines() == lines(all))
    }

    @Test("keeps few files open, and loses and repeats nothing in many")
    func manyFiles() async throws {
        let names = (0..<150).map { "gate-\($0)" }
        let batch = try (0..<450).map { try punch(Int64($0), device: names[$0 % 150]) }
        let sink = try await sink("{device}.jsonl")
        _ = try await sink.deliver(batch)
        _ = try await sink.deliver(try names.map { try punch(500, device: $0) })
        #expect(openDescriptors(under: directory.path) == FileSink.maximumOpenFileCount)
        for (index, name) in names.enumerated() {
            let expected = try [index, index + 150, index + 300, 500].map { try punch(Int64($0), device: name) }
            #expect(try directory.text(name + ".jsonl") == lines(expected))
        }
        await sink.close()
        #expect(openDescriptors(under: directory.path) == 0)
    }

    @Test("fails for a while where it cannot write, and delivers once it can")
    func blocked() async throws {
        try directory.write("in the way".utf8, to: "audit")
        let sink = try await sink("audit/{device}.jsonl")
        await #expect {
            _ = try await sink.deliver(try punches(1...2))
        } throws: { error in
            let fault = error as? SinkFault
            return fault?.kind == .transient && fault?.message.contains("audit") == true
        }
        try FileManager.default.removeItem(atPath: directory.path + "/audit")
        try await sink.open()
        _ = try await sink.deliver(try punches(1...2))
        #expect(try directory.text("audit/lobby.jsonl") == lines(try punches(1...2)))
    }

    @Test("a batch that fails half way is whole after its second delivery")
    func halfway() async throws {
        let sink = try await sink("{device}/punches.jsonl")
        try directory.write("in the way".utf8, to: "gate")
        let batch = try [punch(1), punch(2, device: "gate"), punch(3)]
        await #expect(throws: SinkFault.self) { _ = try await sink.deliver(batch) }
        try FileManager.default.removeItem(atPath: directory.path + "/gate")
        try await sink.open()
        _ = try await sink.deliver(batch)
        #expect(try directory.text("lobby/punches.jsonl") == lines([batch[0], batch[2]]))
        #expect(try directory.text("gate/punches.jsonl") == lines([batch[1]]))
    }

    @Test("a device is no file", arguments: ["/dev/null", "/dev/full"])
    func specialFiles(path: String) async throws {
        await #expect(throws: SinkFault.self) { _ = try await sink(path) }
    }

    private func openDescriptors(under path: String) -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.filter { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + name)
            return target?.hasPrefix(path) == true
        }.count
    }
}
