#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Small files that only their owner may read, replaced whole and durably.
enum ProtectedFiles {
    enum Problem: Error {
        case missing
        /// With the reason in the system's words.
        case failed(String)
    }

    struct Contents {
        var bytes: [UInt8]
        /// Permissions, of the file that was read.
        var mode: UInt32
    }

    /// - Parameter limit: a file with more bytes is refused.
    static func read(_ path: String, limit: Int) throws(Problem) -> Contents {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw errno == ENOENT ? .missing : .failed(reason()) }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw .failed(reason()) }
        guard information.st_mode & S_IFMT == S_IFREG else { throw .failed("it is no file") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = readOnce(descriptor, &chunk)
            guard count >= 0 else { throw .failed(reason()) }
            if count == 0 { break }
            bytes += chunk.prefix(count)
            guard bytes.count <= limit else { throw .failed("it has more than \(limit) bytes") }
        }
        return Contents(bytes: bytes, mode: UInt32(information.st_mode) & 0o7777)
    }

    /// Puts a file of mode 0600 in the place of `path`: whole or not at all, on stable storage when it returns. It
    /// belongs to the owner of the directory, so that a secret that root sets is readable by the service.
    static func replace(_ path: String, with bytes: [UInt8]) throws(Problem) {
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .failed(reason()) }
        let isWritten =
            writeAll(bytes, to: descriptor) && giveToOwner(descriptor, directory: directory(of: path))
            && fsync(descriptor) == 0
        let why = reason()
        close(descriptor)
        guard isWritten else {
            unlink(temporary)
            throw .failed(why)
        }
        guard rename(temporary, path) == 0 else {
            let why = reason()
            unlink(temporary)
            throw .failed(why)
        }
        try sync(directory: directory(of: path))
    }

    /// Waits for the lock and holds it for `body`. The system takes it back when the process dies.
    static func locked<Value>(
        _ path: String, _ body: () throws(SecretError) -> Value
    ) throws(SecretError) -> Value {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SecretError(.file, "cannot open \(path): \(reason())", hint: "run as the user of the data directory")
        }
        defer { close(descriptor) }
        _ = giveToOwner(descriptor, directory: directory(of: path))
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
        return try body()
    }

    private static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    private static func sync(directory: String) throws(Problem) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed(reason()) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .failed(reason()) }
    }

    /// Only root can give files away; for anybody else the file is where it belongs.
    private static func giveToOwner(_ descriptor: Int32, directory: String) -> Bool {
        guard geteuid() == 0 else { return true }
        var information = stat()
        guard stat(directory, &information) == 0 else { return false }
        return fchown(descriptor, information.st_uid, information.st_gid) == 0
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            offset += count
        }
        return true
    }

    private static func readOnce(_ descriptor: Int32, _ chunk: inout [UInt8]) -> Int {
        while true {
            let count = chunk.withUnsafeMutableBytes { readSome(descriptor, $0) }
            if count >= 0 || errno != EINTR { return count }
        }
    }

    private static func reason() -> String { String(cString: strerror(errno)).lowercased() }
}

/// `read` of the C library, whose name the method above hides.
private func readSome(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}
