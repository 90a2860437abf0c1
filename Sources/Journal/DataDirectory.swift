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

    /// Makes the directory, readable by its owner and group only, and those above it. What was made stands in the
    /// directory above on stable storage: else a power cut could take it away with everything that is synced in it.
    func create() throws(JournalError) { try Self.make(path) }

    private static func make(_ path: String) throws(JournalError) {
        guard mkdir(path, 0o750) != 0 else { return try syncParent(of: path) }
        switch errno {
        case EEXIST: return
        case ENOENT where !parent(of: path).isEmpty && parent(of: path) != path:
            try make(parent(of: path))
            guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw failed(path) }
            try syncParent(of: path)
        default: throw failed(path)
        }
    }

    private static func syncParent(of path: String) throws(JournalError) {
        let parent = parent(of: path)
        let descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A directory that may be written and not be read cannot be synced: it is the operator's choice.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw failed(parent) }
    }

    private static func parent(of path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    private static func failed(_ path: String) -> JournalError {
        JournalError(.unavailable, "cannot make the data directory \(path): \(String(cString: strerror(errno)))")
    }
}

/// The right to write in a data directory. Held as long as the value lives; the system takes it back when the process
/// dies, however it dies.
public final class DataDirectoryLock: Sendable {
    public let directory: DataDirectory
    private let descriptor: Int32

    /// Makes the directory as needed.
    /// - Throws: ``JournalError/Kind/unavailable`` naming the process that holds it, or why it cannot be used.
    public init(_ directory: DataDirectory) throws(JournalError) {
        try directory.create()
        self.directory = directory
        descriptor = open(directory.lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw JournalError(.unavailable, "cannot open \(directory.lockPath): \(String(cString: strerror(errno)))")
        }
        // The descriptor is closed with the value, also when it is thrown away here.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.holder(descriptor)
            throw JournalError(
                .unavailable, "\(directory.path) belongs to a running muster\(holder): stop it, or use another data:")
        }
        let mark = Array("\(getpid())\n".utf8)
        ftruncate(descriptor, 0)
        _ = pwrite(descriptor, mark, mark.count, 0)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(count, 0)).prefix { (0x30...0x39).contains($0) }
        return digits.isEmpty ? "" : " (process \(String(decoding: digits, as: UTF8.self)))"
    }
}
