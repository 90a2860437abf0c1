#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where the loader finds files. Tests hand in a few texts.
public protocol ConfigurationFiles: Sendable {
    /// At most `limit` bytes and one more, so that the reader sees that a file is too large.
    /// - Throws: ``FileProblem`` with the reason in the system's words.
    func read(_ path: String, limit: Int) throws(FileProblem) -> [UInt8]

    /// The files that a pattern of the shell (`*`, `?`, `[…]`) matches, in alphabetical order. Hidden files and
    /// directories are left out. At most 10,000.
    func matches(_ pattern: String) -> [String]
}

public struct FileProblem: Error, Sendable, Hashable {
    /// For example `no such file or directory`.
    public let reason: String

    public init(reason: String) { self.reason = reason }
}

/// The files of this machine.
public struct SystemFiles: ConfigurationFiles {
    public init() {}

    public func read(_ path: String, limit: Int) throws(FileProblem) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.problem() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = Self.read(descriptor, into: &chunk)
            guard count >= 0 else { throw Self.problem() }
            if count == 0 { break }
            bytes += chunk.prefix(min(count, limit + 1 - bytes.count))
        }
        return bytes
    }

    public func matches(_ pattern: String) -> [String] {
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(pattern, GLOB_MARK, nil, &result) == 0 else { return [] }
        let paths = (0..<min(Int(result.gl_pathc), 10_000)).compactMap { index in
            result.gl_pathv[index].map { String(cString: $0) }
        }
        return paths.filter { !$0.hasSuffix("/") }
    }

    private static func read(_ descriptor: CInt, into chunk: inout [UInt8]) -> Int {
        while true {
            let count = chunk.withUnsafeMutableBytes { readSome(descriptor, $0) }
            if count >= 0 || errno != EINTR { return count }
        }
    }

    private static func problem() -> FileProblem {
        FileProblem(reason: String(cString: strerror(errno)).lowercased())
    }
}

/// `read` of the C library, whose name the method above hides.
private func readSome(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}

/// Paths as a configuration writes them.
enum ConfigurationPath {
    /// What stands before the last slash, with it; empty for a bare name.
    static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    }

    /// `path` as seen from `directory`, which is empty or ends in a slash.
    static func resolve(_ path: String, from directory: String) -> String {
        if path.hasPrefix("/") { return path }
        var rest = Substring(path)
        while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
        return rest.isEmpty || rest == "." ? (directory.isEmpty ? "." : directory) : directory + rest
    }

    static func isPattern(_ path: String) -> Bool { path.contains { "*?[".contains($0) } }

    /// A directory's name with the characters escaped that a pattern would take for its own.
    static func escaped(_ directory: String) -> String {
        String(directory.flatMap { "*?[\\".contains($0) ? ["\\", $0] : [$0] })
    }
}
