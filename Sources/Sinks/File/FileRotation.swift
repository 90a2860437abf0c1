internal import CZlib
internal import DeviceKit
internal import Foundation

/// When a file is put aside, and what becomes of those that were.
struct FileRotation: Sendable, Hashable {
    /// At the start of a batch that finds the file this long.
    var size: Int
    var compresses: Bool
    /// How many files that were put aside are kept; `nil` for all.
    var keptCount: Int?

    /// Gives the file a name with the time in it, compresses it, and removes those that are too many.
    ///
    /// A kill at any place leaves every line in one file: the rest is made up for at the next rotation.
    func putAside(_ path: String, now: Instant) throws(SinkFault) {
        let stamp = now.description.filter { $0.isNumber || $0 == "T" || $0 == "Z" }
        var target = "\(path).\(stamp)"
        var number = 1
        while Self.exists(target) || Self.exists(target + ".gz") {
            number += 1
            target = "\(path).\(stamp)-\(number)"
        }
        try SystemCalls.rename(path, to: target)
        let aside = try namesAside(path)
        if compresses {
            for name in aside where !name.hasSuffix(".gz") { try Self.compress(name) }
        }
        guard let keptCount else { return }
        for name in try namesAside(path).dropLast(keptCount) { try SystemCalls.remove(name) }
    }

    /// Files that were put aside, the oldest first.
    private func namesAside(_ path: String) throws(SinkFault) -> [String] {
        let directory = SystemCalls.parent(of: path)
        let prefix = String(path.split(separator: "/").last ?? "") + "."
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch {
            throw SinkFault(.transient, "cannot list \(directory): \(error.localizedDescription)")
        }
        return names.filter { $0.hasPrefix(prefix) && Self.isStamp($0.dropFirst(prefix.count)) }
            .sorted { Self.age($0) < Self.age($1) }.map { "\(directory)/\($0)" }
    }

    /// `20261124T153000123Z`, `20261124T153000Z-2`, both with or without `.gz`. Nobody else's file is touched.
    private static func isStamp(_ text: Substring) -> Bool {
        text.wholeMatch(of: /\d{8}T\d{6,9}Z(-\d+)?(\.gz)?/) != nil
    }

    /// Names of one moment differ by their number.
    private static func age(_ name: String) -> (String, Int) {
        let plain = name.hasSuffix(".gz") ? name.dropLast(3) : name[...]
        guard let dash = plain.lastIndex(of: "-"), let number = Int(plain[plain.index(after: dash)...]),
            plain[..<dash].hasSuffix("Z")
        else { return (String(plain), 1) }
        return (String(plain[..<dash]), number)
    }

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The plain file goes when the compressed one is on stable storage.
    private static func compress(_ path: String) throws(SinkFault) {
        let unfinished = path + ".gz.part"
        try writeCompressed(path, to: unfinished)
        try SystemCalls.rename(unfinished, to: path + ".gz")
        try SystemCalls.remove(path)
    }

    private static func writeCompressed(_ path: String, to target: String) throws(SinkFault) {
        let (source, _) = try SystemCalls.openToAppend(path)
        defer { SystemCalls.close(source) }
        guard let output = gzopen(target, "wb6") else { throw SystemCalls.fault("make", target) }
        var isClosed = false
        defer { if !isClosed { gzclose(output) } }
        var offset = 0
        while true {
            let chunk = try SystemCalls.read(FileTail.chunkByteCount, at: offset, from: source, path)
            guard !chunk.isEmpty else { break }
            guard gzwrite(output, chunk, UInt32(chunk.count)) == chunk.count else {
                throw SystemCalls.fault("write", target)
            }
            offset += chunk.count
        }
        isClosed = true
        guard gzclose(output) == Z_OK else { throw SystemCalls.fault("write", target) }
        try SystemCalls.sync(path: target)
    }
}
