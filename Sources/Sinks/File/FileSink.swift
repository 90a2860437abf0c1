public import DeviceKit

/// Writes punches as lines of text files and syncs each batch to disk.
///
/// After a crash no line is torn and none stands twice, as long as nobody else writes to the files. A file that was
/// renamed or removed, by log rotation for example, is made anew at the next batch.
public actor FileSink: PunchSink {
    public static let manifest = SinkManifest(
        id: "file", summary: "Appends punches to files as JSON lines or CSV, synced to disk batch by batch.")

    /// How many files are kept open; the one that was used longest ago is closed for a new one.
    static let maximumOpenFileCount = 64

    private let settings: FileSettings
    private let context: SinkContext
    private let executor: QueueExecutor
    private var files = OpenFiles()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public init(settings: FileSettings, context: SinkContext) throws(SinkFault) {
        self.settings = settings
        self.context = context
        executor = QueueExecutor(label: "muster.sink.\(context.name)")
    }

    public func open() async throws(SinkFault) {
        // Tails are read again: what was written before a fault is found there.
        files.closeAll()
        if let path = settings.path.fixedPath { _ = try file(at: absolute(path)) }
    }

    public func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        do throws(SinkFault) {
            for (path, lines) in lines(of: batch) { try file(at: path).append(lines) }
        } catch {
            files.closeAll()
            throw error
        }
        return .allAccepted
    }

    public func close() async { files.closeAll() }

    /// Lines by file, files in the order of their first punch, lines in the order of the batch.
    private func lines(of batch: [JournaledPunch]) -> [(path: String, lines: [[UInt8]])] {
        var places: [String: Int] = [:]
        var groups: [(path: String, lines: [[UInt8]])] = []
        for journaled in batch {
            let path = absolute(settings.path.path(for: journaled.punch))
            let line = PunchLine.bytes(journaled.punch, settings.format)
            if let place = places[path] {
                groups[place].lines.append(line)
            } else {
                places[path] = groups.count
                groups.append((path, [line]))
            }
        }
        return groups
    }

    private func file(at path: String) throws(SinkFault) -> LineFile {
        if let file = files.file(at: path), file.isInPlace {
            guard let rotation = settings.rotation, file.isDue(rotation.size) else { return file }
            files.close(path)
            try rotation.putAside(path, now: context.time.now())
        }
        let file = try LineFile(path, settings.format)
        if file.cutByteCount > 0 {
            context.log.info("cut a line that a crash had torn", ["path": path, "bytes": "\(file.cutByteCount)"])
        }
        files.insert(file)
        return file
    }

    private func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : context.baseDirectory + "/" + path
    }
}

/// The files that a sink has open, at most ``FileSink/maximumOpenFileCount``.
private struct OpenFiles {
    private var files: [String: (file: LineFile, lastUse: UInt64)] = [:]
    private var uses: UInt64 = 0

    mutating func file(at path: String) -> LineFile? {
        uses += 1
        files[path]?.lastUse = uses
        return files[path]?.file
    }

    mutating func insert(_ file: LineFile) {
        uses += 1
        files[file.path] = (file, uses)
        if files.count > FileSink.maximumOpenFileCount,
            let oldest = files.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            files[oldest.key] = nil
        }
    }

    mutating func close(_ path: String) { files[path] = nil }

    mutating func closeAll() { files.removeAll() }
}
