internal import DeviceKit
internal import Logging
internal import ServiceLifecycle

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Sees that files of the configuration have changed, at once where the system tells, else within a minute, and has
/// them read when nobody writes them any more.
struct ConfigurationWatcher: Service {
    let reloader: Reloader
    let path: String
    let time: any TimeSource
    let log: Logger

    /// How often the files are looked at without being told.
    static let interval = Duration.seconds(60)

    private enum Wake: Sendable {
        case event(DirectoryWatch.Event)
        case time
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.watch() }
        try? await gracefulShutdown()
    }

    private func watch() async {
        let directories = DirectoryWatch()
        if directories == nil { log.info("no file events here: changed files are noticed within a minute") }
        defer { directories?.close() }
        let (wakes, post) = AsyncStream.makeStream(of: Wake.self, bufferingPolicy: .bufferingNewest(10_000))
        var look = Look(path)
        await withTaskGroup(of: Void.self) { group in
            if let directories {
                group.addTask { for await event in directories.events { post.yield(.event(event)) } }
            }
            // What changed between the reading at the start and now.
            var watched: Set<String> = []
            // The earliest uptime for which an alarm is set.
            var timer: Duration?
            alarm(.zero, post, &group)
            for await wake in wakes {
                let reading = reloader.lastReading
                look.follow(reading)
                if look.directories != watched {
                    watched = look.directories
                    directories?.watch(watched)
                }
                let now = time.uptime()
                switch wake {
                case .event(let event): look.heard(event, at: now)
                case .time:
                    timer = nil
                    if look.isChanged(at: now, since: reading?.stamps) {
                        reloader.request(reading == nil ? .start : .files)
                    }
                    // A directory that was replaced is watched anew.
                    directories?.watch(watched)
                }
                guard timer.map({ look.deadline < $0 }) ?? true else { continue }
                timer = look.deadline
                alarm(look.deadline - now, post, &group)
            }
            group.cancelAll()
        }
    }

    private func alarm(_ delay: Duration, _ post: AsyncStream<Wake>.Continuation, _ group: inout TaskGroup<Void>) {
        group.addTask { [time] in
            if (try? await time.sleep(for: delay)) != nil { post.yield(.time) }
        }
    }
}

/// What is watched, and when it is looked at: twice, so that nothing is read that somebody is writing.
struct Look {
    private var sources: ConfigurationSources
    private var settling = ChangeSettling()
    /// What the first of two looks saw.
    private var seen: FileStamps?
    private var next = Duration.zero

    /// - Parameter path: of the main file.
    init(_ path: String) { sources = ConfigurationSources(files: [path], patterns: []) }

    /// Looks from now on at what the last reading looked at.
    mutating func follow(_ reading: (sources: ConfigurationSources, stamps: FileStamps)?) {
        if let reading { sources = reading.sources }
    }

    /// Where something can happen to the files.
    var directories: Set<String> {
        let patterns = sources.patterns.map { pattern in
            pattern.firstIndex { "*?[".contains($0) }.map { String(pattern[..<$0]) } ?? pattern
        }
        return Set(
            (sources.files + patterns).map { path in
                let directory = ConfigurationPath.directory(of: path)
                return directory.isEmpty ? "." : directory
            })
    }

    mutating func heard(_ event: DirectoryWatch.Event, at uptime: Duration) {
        guard concerns(event.name) else { return }
        settling.note(event.isUnfinished ? .written(event.name) : .settled(event.name), at: uptime)
    }

    /// Others may write in the same directory, logs and deliveries among them.
    private func concerns(_ name: String) -> Bool {
        // The directory itself; and links that are swapped under all files at once.
        if name.isEmpty || name.hasPrefix("..") { return true }
        if sources.files.contains(where: { Self.name(of: $0) == name }) { return true }
        return sources.patterns.contains { pattern in
            ConfigurationPath.isPattern(ConfigurationPath.directory(of: pattern))
                || fnmatch(Self.name(of: pattern), name, 0) == 0
        }
    }

    private static func name(of path: String) -> String {
        String(path.dropFirst(ConfigurationPath.directory(of: path).count))
    }

    /// When to look next.
    var deadline: Duration { min(next, settling.deadline ?? next) }

    /// Looks when it is time.
    /// - Parameter stamps: how the files were when they were last read.
    /// - Returns: whether they have changed since, and are quiet.
    mutating func isChanged(at uptime: Duration, since stamps: FileStamps?) -> Bool {
        guard settling.takeDue(at: uptime) || uptime >= next else { return false }
        next = uptime + ConfigurationWatcher.interval
        let now = FileStamps(sources)
        defer { seen = now }
        guard now != stamps else { return false }
        if now == seen { return true }
        settling.note(.settled(""), at: uptime)
        return false
    }
}
