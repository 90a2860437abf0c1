#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How full the disk is on which a directory lies.
struct DiskFigures: Sendable, Hashable {
    /// All of it, in blocks.
    var blocks: UInt64
    var freeBlocks: UInt64
    /// Those that others than the superuser may take, too.
    var availableBlocks: UInt64
    var blockByteCount: UInt64

    /// What the system counts; `nil` where it does not say.
    @Sendable static func of(_ directory: String) -> DiskFigures? {
        var numbers = statvfs()
        guard statvfs(directory, &numbers) == 0 else { return nil }
        return DiskFigures(
            blocks: UInt64(numbers.f_blocks), freeBlocks: UInt64(numbers.f_bfree),
            availableBlocks: UInt64(numbers.f_bavail), blockByteCount: UInt64(numbers.f_frsize))
    }

    /// From 0 to 100. As `df` counts: what only the superuser may use is neither used nor free. `nil` for a file system
    /// without a size.
    var usedPercent: Double? {
        guard blocks > 0 else { return nil }
        let used = Double(blocks - min(freeBlocks, blocks))
        let usable = used + Double(availableBlocks)
        return usable > 0 ? used / usable * 100 : nil
    }

    /// For people. Rounded, so that a message changes when the disk does.
    var sentence: String {
        // A file system may claim anything.
        let gigabytes = min(Double(availableBlocks) * Double(blockByteCount) / 1_000_000_000, 1e15)
        let tenths = Int((gigabytes * 10).rounded())
        let amount = tenths < 100 ? "\(tenths / 10).\(tenths % 10)" : "\(Int(gigabytes.rounded()))"
        return "\(amount) GB are free where the journal is"
    }
}
