internal import DeviceKit

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One file of lines that is only appended to.
///
/// Opening it repairs what a crash left: a last line without its line break is cut, because it was never promised, and
/// the lines of the tail are remembered, because their punches may be delivered again.
final class LineFile {
    /// More than any batch that can have been under way when the host was killed.
    static let rememberedLineCount = 2_000

    let path: String
    /// How many bytes of a torn line were cut when the file was opened.
    let cutByteCount: Int
    private let format: PunchLine.Format
    private let descriptor: Int32
    private var byteCount: Int
    private var tail: Set<LineDigest> = []
    /// Lines are new from here on: what a kill left to be delivered again has come again.
    private var isPastRepeats = false

    init(_ path: String, _ format: PunchLine.Format) throws(SinkFault) {
        self.path = path
        self.format = format
        let header = PunchLine.header(format)
        let (descriptor, isNew) = try SystemCalls.openToAppend(path)
        do throws(SinkFault) {
            let found = try SystemCalls.byteCount(descriptor, path)
            let whole = isNew ? 0 : try FileTail.wholeLineByteCount(descriptor, path, byteCount: found)
            if whole < found, ftruncate(descriptor, off_t(whole)) != 0 { throw SystemCalls.fault("repair", path) }
            if whole > 0 {
                tail = try FileTail.lastLines(
                    descriptor, path, format, byteCount: whole, lineCount: Self.rememberedLineCount)
            } else if !header.isEmpty {
                try SystemCalls.append(header, to: descriptor, path)
            }
            cutByteCount = found - whole
            byteCount = whole > 0 ? whole : header.count
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Nobody has renamed or removed the file since it was opened.
    var isInPlace: Bool { SystemCalls.isSame(descriptor, path) }

    /// The file is so long that it should be put aside. Not while lines of its tail may come again: in a new file nobody
    /// would know them.
    func isDue(_ size: Int) -> Bool { isPastRepeats && byteCount >= size }

    /// Returns once the lines are on stable storage. Lines of punches that the tail has already are left out.
    ///
    /// When it throws, none of the lines is in the file: after a failed sync the system may show lines that are not on
    /// the disk, and they must not be taken for delivered when they come again.
    func append(_ lines: [[UInt8]]) throws(SinkFault) {
        var bytes: [UInt8] = []
        var isLastNew = isPastRepeats
        for line in lines {
            isLastNew = tail.isEmpty || tail.remove(LineDigest(line, format)) == nil
            if isLastNew { bytes += line }
        }
        do throws(SinkFault) {
            try SystemCalls.append(bytes, to: descriptor, path)
            // Also when nothing is new: the lines of the tail may never have been synced.
            try SystemCalls.sync(descriptor, path)
        } catch {
            ftruncate(descriptor, off_t(byteCount))
            throw error
        }
        byteCount += bytes.count
        isPastRepeats = isPastRepeats || isLastNew
    }
}

/// Stands for the punch of a line in memory: 16 bytes, and no two punches share them in practice.
struct LineDigest: Hashable {
    private let first: Int
    private let second: Int

    init(_ line: some Collection<UInt8>, _ format: PunchLine.Format) {
        let bytes = PunchLine.identity(line, format)
        first = Self.hash(bytes, salt: 1)
        second = Self.hash(bytes, salt: 2)
    }

    private static func hash(_ bytes: [UInt8], salt: UInt8) -> Int {
        var hasher = Hasher()
        hasher.combine(salt)
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
