internal import DeviceKit
internal import Foundation
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Runs one program at a time, in a process group of its own, on a thread of its own.
actor CommandRunner {
    struct Ending: Sendable, Hashable {
        enum Reason: Sendable, Hashable {
            case exited(Int32)
            case killed(signal: Int32)
            case timedOut
            case talkedTooMuch
            case notStarted(String)
            case cancelled
        }

        var reason: Reason
        /// What it wrote, to standard output and standard error.
        var output: [UInt8] = []

        /// The beginning as one line.
        var excerpt: String {
            let text = String(decoding: output.prefix(300), as: UTF8.self)
            return String(
                text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 }.prefix(200))
        }
    }

    static let mostOutput = 64 * 1_024
    private static let pollInterval = 100 as Int32

    private let executor = QueueExecutor(label: "alert-command")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Blocks the actor's own thread until the program has ended.
    func run(_ words: [String], input: [UInt8], timeout: Duration) async -> Ending {
        let isCancelled = CancellationFlag()
        return await withTaskCancellationHandler {
            runBlocking(words, input: input, timeout: timeout, isCancelled: isCancelled)
        } onCancel: {
            isCancelled.set()
        }
    }

    private func runBlocking(
        _ words: [String], input: [UInt8], timeout: Duration, isCancelled: CancellationFlag
    ) -> Ending {
        guard let source = Self.file(with: input) else {
            return Ending(reason: .notStarted("no room for its input"))
        }
        defer { close(source) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return Ending(reason: .notStarted(Self.problem(errno))) }
        let (reading, writing) = (ends[0], ends[1])
        Self.keepFromOthers(reading)
        Self.keepFromOthers(writing)
        defer { close(reading) }
        let started = Self.spawn(words, input: source, output: writing)
        close(writing)
        switch started {
        case .failure(let problem): return Ending(reason: .notStarted(problem.text))
        case .success(let process): return Self.watch(process, reading, timeout, isCancelled)
        }
    }

    private struct Problem: Error { let text: String }

    /// An open file without a name that holds the bytes, at its beginning.
    private static func file(with bytes: [UInt8]) -> Int32? {
        var name = Array("/tmp/muster-alert-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else { return nil }
        keepFromOthers(file)
        unlink(name)
        guard SystemWrite.all(bytes, to: file), lseek(file, 0, SEEK_SET) == 0 else {
            close(file)
            return nil
        }
        return file
    }

    /// Children that others start do not get it.
    private static func keepFromOthers(_ file: Int32) { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }

    /// What a child would inherit. One that is closed meanwhile does no harm.
    private static func openFiles() -> [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).compactMap { Int32($0) }
    }

    /// The child has these three descriptors and no other, usual signals, and a group of its own.
    private static func spawn(_ words: [String], input: Int32, output: Int32) -> Result<pid_t, Problem> {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        for file in openFiles() where file > 2 { posix_spawn_file_actions_addclose(&actions, file) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let code = posix_spawn(&process, words[0], &actions, &attributes, arguments, environ)
        return code == 0 ? .success(process) : .failure(Problem(text: problem(code)))
    }

    /// Reads what the program says until it has ended, and ends it when it must.
    private static func watch(
        _ process: pid_t, _ output: Int32, _ timeout: Duration, _ isCancelled: CancellationFlag
    ) -> Ending {
        let deadline = ContinuousClock.now + timeout
        var said: [UInt8] = []
        var reason: Ending.Reason?
        var isOpen = true
        while reason == nil {
            // A program may close its output long before it ends. The descriptor that would tell of its end is none that
            // Swift's Glibc shows, and a look now and then costs nothing.
            if isOpen { isOpen = read(output, into: &said) } else { usleep(10_000) }
            if let status = status(of: process) { return Ending(reason: status, output: said) }
            if said.count > mostOutput { reason = .talkedTooMuch }
            if isCancelled.isSet { reason = .cancelled }
            if ContinuousClock.now >= deadline { reason = .timedOut }
        }
        // Its children, too; it is the leader of its group.
        kill(-process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return Ending(reason: reason ?? .cancelled, output: said)
    }

    /// Waits a moment for output. False when there will be no more.
    private static func read(_ file: Int32, into said: inout [UInt8]) -> Bool {
        var waiting = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, pollInterval) > 0 else { return true }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = buffer.withUnsafeMutableBytes { systemRead(file, $0.baseAddress, $0.count) }
        guard count > 0 else { return count < 0 && errno == EINTR }
        said.append(contentsOf: buffer.prefix(count))
        return true
    }

    /// `nil` while it runs.
    private static func status(of process: pid_t) -> Ending.Reason? {
        var status: Int32 = 0
        guard waitpid(process, &status, WNOHANG) == process else { return nil }
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
    }

    private static func problem(_ code: Int32) -> String { String(cString: strerror(code)) }
}

/// Writes whole arrays.
private enum SystemWrite {
    static func all(_ bytes: [UInt8], to file: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

/// Set by a cancellation, looked at by a thread that blocks.
final class CancellationFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}

/// The system's `read`, from where a method has the same name.
private func systemRead(_ file: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(file, buffer, count)
}
