internal import DeviceKit

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The calls of the operating system that the file sink needs, with errors that name the path.
enum SystemCalls {
    /// Everything that can go wrong with a file can be put right without changing the settings, so all is transient.
    static func fault(_ what: String, _ path: String, _ code: Int32 = errno) -> SinkFault {
        SinkFault(.transient, "cannot \(what) \(path): \(String(cString: strerror(code)))")
    }

    /// Opens for reading and appending. Makes the file, readable by owner and group, when there is none.
    static func openToAppend(_ path: String) throws(SinkFault) -> (descriptor: Int32, isNew: Bool) {
        let flags = O_RDWR | O_APPEND | O_CLOEXEC
        let existing = open(path, flags)
        if existing >= 0 { return (existing, false) }
        guard errno == ENOENT else { throw fault("open", path) }
        let parent = Self.parent(of: path)
        try makeDirectory(parent)
        let made = open(path, flags | O_CREAT, 0o640)
        guard made >= 0 else { throw fault("make", path) }
        do throws(SinkFault) {
            // Without this the name could be gone after a power cut, and the lines with it.
            try syncDirectory(parent)
        } catch {
            close(made)
            throw error
        }
        return (made, true)
    }

    /// Appends all of `bytes`, however many calls it takes.
    static func append(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(SinkFault) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw fault("write", path) }
            offset += written
        }
    }

    /// At most `count` bytes from `offset`; fewer only at the end of the file.
    static func read(
        _ count: Int, at offset: Int, from descriptor: Int32, _ path: String
    ) throws(SinkFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes[filled...].withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress, $0.count, off_t(offset + filled))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw fault("read", path) }
            if got == 0 { break }
            filled += got
        }
        return Array(bytes.prefix(filled))
    }

    static func byteCount(_ descriptor: Int32, _ path: String) throws(SinkFault) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw fault("examine", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SinkFault(.transient, "cannot use \(path): it is not a file")
        }
        return Int(status.st_size)
    }

    /// The name still leads to the open file: nobody has renamed or removed it.
    static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var open = stat()
        var named = stat()
        guard fstat(descriptor, &open) == 0, stat(path, &named) == 0 else { return false }
        return open.st_dev == named.st_dev && open.st_ino == named.st_ino
    }

    static func sync(_ descriptor: Int32, _ path: String) throws(SinkFault) {
        guard fsync(descriptor) == 0 else { throw fault("sync", path) }
    }

    static func sync(path: String) throws(SinkFault) {
        let (descriptor, _) = try openToAppend(path)
        defer { close(descriptor) }
        try sync(descriptor, path)
    }

    static func close(_ descriptor: Int32) { _ = systemClose(descriptor) }

    /// The name is on stable storage afterwards.
    static func rename(_ path: String, to target: String) throws(SinkFault) {
        guard systemRename(path, target) == 0 else { throw fault("rename", path) }
        try syncDirectory(parent(of: path))
    }

    static func remove(_ path: String) throws(SinkFault) {
        guard unlink(path) == 0 || errno == ENOENT else { throw fault("remove", path) }
    }

    /// Makes a directory and those above it, each one synced into the one above.
    private static func makeDirectory(_ path: String) throws(SinkFault) {
        if mkdir(path, 0o750) == 0 { return try syncDirectory(parent(of: path)) }
        switch errno {
        case EEXIST: return
        case ENOENT where parent(of: path) != path:
            try makeDirectory(parent(of: path))
            guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw fault("make the directory", path) }
            try syncDirectory(parent(of: path))
        default: throw fault("make the directory", path)
        }
    }

    private static func syncDirectory(_ path: String) throws(SinkFault) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fault("open the directory", path) }
        defer { close(descriptor) }
        try sync(descriptor, path)
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// The functions whose names the methods above hide.
private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
private func systemRename(_ path: String, _ target: String) -> Int32 { rename(path, target) }
