import Foundation
import Synchronization

/// A PostgreSQL server of the tests' own, on a Unix socket in a directory of its own.
///
/// One is started by the first test that asks and is stopped with the process; each test takes a schema of its own.
final class PostgresServer: Sendable {
    let directory: String
    private let programs: String

    static let shared = Task { () throws -> PostgresServer in
        let server = try await PostgresServer()
        forExit.withLock { $0 = server }
        atexit { PostgresServer.forExit.withLock { $0 }?.remove() }
        return server
    }

    private static let forExit = Mutex<PostgresServer?>(nil)

    /// Makes a cluster and starts it.
    init() async throws {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        guard let newest = versions.compactMap({ Int($0) }).max() else {
            throw HarnessError("there is no PostgreSQL server under \(root): run make deps")
        }
        programs = "\(root)/\(newest)/bin"
        directory = "/tmp/muster-pg-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        if Self.isRoot { try await Self.check("/bin/chown", ["postgres:postgres", directory]) }
        try await run(
            "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        try await start()
    }

    /// What libpq connects with.
    var connectionString: String { "host=\(directory) dbname=postgres user=postgres" }

    func start() async throws {
        try await run(
            "pg_ctl", "-D", data, "-w", "-l", "\(directory)/log", "-o",
            "-c listen_addresses='' -c unix_socket_directories=\(directory) -c fsync=off", "start")
    }

    /// - Parameter mode: `immediate` is a crash.
    func stop(_ mode: String = "fast") async throws { try await run("pg_ctl", "-D", data, "-w", "-m", mode, "stop") }

    /// Runs SQL and answers its rows, columns separated by `|`.
    @discardableResult
    func sql(_ text: String, in database: String = "postgres") async throws -> [String] {
        let output = try await ChildProcess.run(
            "\(programs)/psql",
            [
                "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d",
                "\(connectionString) dbname=\(database) client_encoding=UTF8", "-c", text,
            ])
        guard output.status == 0 else { throw HarnessError("\(text): \(output.standardError)") }
        return output.lines.map { String($0) }
    }

    /// Runs statements one after the other and answers what psql prints, notifications included.
    func script(_ text: String) async throws -> String {
        let output = try await ChildProcess.run(
            "\(programs)/psql", ["-X", "-v", "ON_ERROR_STOP=1", "-d", connectionString, "-f", "-"], input: text)
        guard output.status == 0 else { throw HarnessError("\(text): \(output.standardError)") }
        return output.text
    }

    private var data: String { "\(directory)/data" }

    /// The server refuses to run as root.
    private static var isRoot: Bool { getuid() == 0 }

    private func run(_ program: String, _ arguments: String...) async throws {
        let command = ["\(programs)/\(program)"] + arguments
        try await Self.check(
            "/bin/bash", ["-c", Self.closing, "bash"] + (Self.isRoot ? Self.asPostgres : []) + command)
    }

    /// Foundation takes a child for alive as long as anybody holds the descriptors that it inherited, and the server
    /// outlives the program that starts it: they are closed first.
    private static let closing = """
        cd /; for file in /proc/$$/fd/*; do fd=${file##*/}; [ "$fd" -gt 2 ] && exec {fd}>&-; done 2>/dev/null; exec "$@"
        """

    private static let asPostgres = [
        "/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env",
    ]

    private static func check(_ program: String, _ arguments: [String]) async throws {
        let output = try await ChildProcess.run(program, arguments)
        guard output.status == 0 else { throw HarnessError("\(arguments): \(output.text)\(output.standardError)") }
    }

    /// At the end of the process: nothing may be awaited any more.
    private func remove() {
        let stop = Process()
        let command = ["\(programs)/pg_ctl", "-D", data, "-m", "immediate", "stop"]
        stop.executableURL = URL(fileURLWithPath: "/bin/bash")
        stop.arguments = ["-c", "cd /; exec \"$@\"", "bash"] + (Self.isRoot ? Self.asPostgres : []) + command
        stop.standardOutput = FileHandle.nullDevice
        stop.standardError = FileHandle.nullDevice
        try? stop.run()
        stop.waitUntilExit()
        try? FileManager.default.removeItem(atPath: directory)
    }
}
