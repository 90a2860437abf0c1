internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The directory that one host owns: the journal, and beside it whatever else the host keeps.
public struct DataDirectory: Sendable, Hashable {
    public let path: String

    public init(path: String) { self.path = path }

    public var journalPath: String { path + "/journal.sqlite" }
    public var lockPath: String { path + "/host.lock" }
    public var controlSocketPath: String { path + "/control.sock" }

    /// Whether a host has ever made a journal here.
    public var hasJournal: Bool { FileManager.default.fileExists(atPath: journalPath) }

    /// Makes the directory, readable by its owner and group only.
    func create() throws(JournalError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
        } catch {
            throw JournalError(.unavailable, "cannot make the data directory \(path): \(error.localizedDescription)")
        }
    }
}

/// The right to write in a data directory. Held as long as the value lives; the system takes it back when the process
/// dies, however it dies.
final class DataDirectoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: ``JournalError/Kind/unavailable`` naming the process that holds it.
    init(_ directory: DataDirectory) throws(JournalError) {
        descriptor = open(directory.lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw JournalError(.unavailable, "cannot open \(directory.lockPath): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.holder(descriptor)
            close(descriptor)
            throw JournalError(
                .unavailable, "\(directory.path) belongs to a running muster\(holder): stop it, or use another data:")
        }
        let mark = Array("\(getpid())\n".utf8)
        ftruncate(descriptor, 0)
        _ = pwrite(descriptor, mark, mark.count, 0)
    }

    deinit { close(descriptor) }

    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(count, 0)).prefix { (0x30...0x39).contains($0) }
        return digits.isEmpty ? "" : " (process \(String(decoding: digits, as: UTF8.self)))"
    }
}
