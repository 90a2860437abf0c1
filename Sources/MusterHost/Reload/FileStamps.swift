#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a reading of the configuration looked at.
struct ConfigurationSources: Sendable, Hashable {
    /// The main file, included ones, and those of `${file:…}`; also files that could not be read.
    var files: [String]
    /// Patterns of `include:`, as paths from the working directory.
    var patterns: [String]
}

/// How files are now, as far as it shows without reading them.
struct FileStamps: Sendable, Hashable {
    private struct Stamp: Sendable, Hashable {
        var device: UInt64
        var inode: UInt64
        var size: Int64
        var seconds: Int
        var nanoseconds: Int
    }

    /// `nil` for a file that is not there.
    private var stamps: [String: Stamp?]

    /// Looks at the files, and at those that match the patterns now.
    init(_ sources: ConfigurationSources) {
        stamps = [:]
        let matches = sources.patterns.flatMap { SystemFiles().matches($0) }
        for path in sources.files + matches { stamps.updateValue(Self.look(path), forKey: path) }
    }

    /// These, and those of other files.
    func merged(with other: FileStamps) -> FileStamps {
        var copy = self
        for (path, stamp) in other.stamps where copy.stamps[path] == nil {
            copy.stamps.updateValue(stamp, forKey: path)
        }
        copy.stamps = copy.stamps.filter { other.stamps[$0.key] != nil }
        return copy
    }

    private static func look(_ path: String) -> Stamp? {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        #if canImport(Glibc)
            let modified = information.st_mtim
        #else
            let modified = information.st_mtimespec
        #endif
        return Stamp(
            device: UInt64(information.st_dev), inode: UInt64(information.st_ino), size: Int64(information.st_size),
            seconds: Int(modified.tv_sec), nanoseconds: Int(modified.tv_nsec))
    }
}
