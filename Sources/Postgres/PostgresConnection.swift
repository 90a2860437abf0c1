internal import CLibPQ
internal import Dispatch

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One connection to a PostgreSQL server through libpq.
///
/// Every call blocks its thread until the server has answered or the deadline is over, so a connection belongs to an
/// actor with an executor of its own, never to the shared pool. Waits end early when ``interrupt`` is used.
public final class PostgresConnection {
    /// Ends what this connection waits for.
    public let interrupt: PostgresInterrupt

    private var handle: OpaquePointer?
    /// How long one statement, or connecting, may take.
    private let patience: Duration

    /// Waits are cut into slices, so that an interruption is noticed.
    private static let slice: Int32 = 50

    /// Connects. Where the connection string names several hosts, to the first that lets in.
    /// - Parameters:
    ///   - connectionString: what libpq takes: a `postgresql://` URI or `key=value` pairs. Its `connect_timeout` holds for
    ///     each host.
    ///   - defaults: keywords of libpq that hold where the connection string says nothing.
    ///   - patience: for connecting and for each statement.
    public init(
        _ connectionString: String, defaults: [(keyword: String, value: String)] = [], patience: Duration,
        interrupt: PostgresInterrupt = PostgresInterrupt()
    ) throws(PostgresError) {
        self.patience = patience
        self.interrupt = interrupt
        let targets = PostgresTargets(connectionString, defaults: defaults)
        var failures: [PostgresError] = []
        for host in targets.hosts {
            do throws(PostgresError) {
                // A later keyword wins, and `dbname` expands where it stands: defaults come first.
                try connect(
                    defaults + [("dbname", connectionString)] + host,
                    Deadline(min(patience, targets.connectTimeout ?? patience)))
                return
            } catch {
                failures.append(error)
                if error.kind == .interrupted { break }
            }
        }
        throw PostgresError(
            failures.last?.kind ?? .connection, failures.map(\.message).joined(separator: "; "))
    }

    private func connect(
        _ keywords: [(keyword: String, value: String)], _ deadline: Deadline
    ) throws(PostgresError) {
        handle = Self.withCStrings(keywords.map(\.keyword)) { names in
            Self.withCStrings(keywords.map(\.value)) { values in PQconnectStartParams(names, values, 1) }
        }
        guard let handle else { throw PostgresError(.connection, "there is no memory for a connection") }
        // Else libpq prints the server's notices on standard error.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        do throws(PostgresError) {
            try finishConnecting(deadline)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// Ends the connection. May be called more than once.
    public func close() {
        guard let handle else { return }
        PQfinish(handle)
        self.handle = nil
    }

    /// False once the connection was closed or lost.
    public var isOpen: Bool { handle.map { PQstatus($0) == CONNECTION_OK } ?? false }

    /// Where the connection leads, without who asks: `db.example.com:5432/hr`.
    public var place: String {
        func text(_ value: UnsafePointer<CChar>?) -> String { value.map { String(cString: $0) } ?? "" }
        guard let handle else { return "" }
        return "\(text(PQhost(handle))):\(text(PQport(handle)))/\(text(PQdb(handle)))"
    }

    /// Whether a text is a connection string that libpq understands. Connects to nothing.
    public static func isWellFormed(_ connectionString: String) -> Bool {
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(connectionString, &message)
        defer {
            PQconninfoFree(options)
            PQfreemem(message)
        }
        return options != nil
    }

    // MARK: Statements

    /// Runs one or several statements without parameters; the answer of the last one.
    @discardableResult
    public func execute(_ sql: String) throws(PostgresError) -> PostgresResult {
        try send { PQsendQuery($0, sql) }
        return try lastResult()
    }

    /// Runs one statement with parameters in PostgreSQL's text form; `nil` is NULL.
    @discardableResult
    public func query(_ sql: String, _ parameters: [String?]) throws(PostgresError) -> PostgresResult {
        try query(sql, parameters.map { $0.map { Array($0.utf8) } })
    }

    /// Runs one statement with parameters in PostgreSQL's text form as UTF-8 without a zero byte; `nil` is NULL.
    @discardableResult
    public func query(_ sql: String, _ parameters: [[UInt8]?]) throws(PostgresError) -> PostgresResult {
        // One block of memory for all parameters, each ended by a zero byte.
        var block: [UInt8] = []
        block.reserveCapacity(parameters.reduce(0) { $0 + ($1?.count ?? 0) + 1 })
        let starts = parameters.map { parameter -> Int? in
            guard let parameter else { return nil }
            defer {
                block.append(contentsOf: parameter)
                block.append(0)
            }
            return block.count
        }
        try send { handle in
            block.withUnsafeBytes { block in
                let values = starts.map { start in
                    start.flatMap { block.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
                }
                return PQsendQueryParams(handle, sql, Int32(clamping: values.count), nil, values, nil, nil, 0)
            }
        }
        return try lastResult()
    }

    /// Runs `COPY … FROM STDIN` with `data` in the text format; how many rows it took.
    @discardableResult
    public func copy(_ sql: String, _ data: [UInt8]) throws(PostgresError) -> Int {
        try send { PQsendQuery($0, sql) }
        let handle = try opened()
        let deadline = Deadline(patience)
        try wait(until: deadline) { PQisBusy($0) == 0 }
        guard let result = PQgetResult(handle) else { throw lost() }
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_COPY_IN else {
            let error = refused(result)
            try drain(deadline)
            throw error
        }
        try put(data, deadline)
        return try lastResult().affectedCount
    }

    private func put(_ data: [UInt8], _ deadline: Deadline) throws(PostgresError) {
        let handle = try opened()
        var offset = 0
        while offset < data.count {
            let count = min(data.count - offset, 64 * 1_024)
            let sent = data[offset..<offset + count].withUnsafeBytes {
                PQputCopyData(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(count))
            }
            guard sent >= 0 else { throw lost() }
            if sent == 1 {
                offset += count
            } else {
                try awaitSocket(deadline, writing: true)
            }
        }
        while true {
            let ended = PQputCopyEnd(handle, nil)
            guard ended >= 0 else { throw lost() }
            if ended == 1 { return try flush(deadline) }
            try awaitSocket(deadline, writing: true)
        }
    }

    // MARK: Waiting

    private func send(_ begin: (OpaquePointer) -> Int32) throws(PostgresError) {
        let handle = try opened()
        guard begin(handle) == 1 else { throw lost() }
        try flush(Deadline(patience))
    }

    private func flush(_ deadline: Deadline) throws(PostgresError) {
        while true {
            let left = PQflush(try opened())
            guard left >= 0 else { throw lost() }
            if left == 0 { return }
            try awaitSocket(deadline, writing: true)
            // A server that answers before it has read everything must be read, or both sides wait.
            guard PQconsumeInput(try opened()) == 1 else { throw lost() }
        }
    }

    /// The last of the results up to the end of the statement.
    private func lastResult() throws(PostgresError) -> PostgresResult {
        let deadline = Deadline(patience)
        var answer: PostgresResult?
        var failure: PostgresError?
        while true {
            try wait(until: deadline) { PQisBusy($0) == 0 }
            guard let result = PQgetResult(try opened()) else { break }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE:
                answer = PostgresResult(result)
            default:
                failure = failure ?? refused(result)
            }
        }
        if let failure { throw isOpen || failure.kind == .connection ? failure : lost(failure.message) }
        guard let answer else { throw lost() }
        return answer
    }

    private func drain(_ deadline: Deadline) throws(PostgresError) {
        while true {
            try wait(until: deadline) { PQisBusy($0) == 0 }
            guard let result = PQgetResult(try opened()) else { return }
            PQclear(result)
        }
    }

    private func wait(until deadline: Deadline, _ isDone: (OpaquePointer) -> Bool) throws(PostgresError) {
        while !isDone(try opened()) {
            try awaitSocket(deadline, writing: false)
            guard PQconsumeInput(try opened()) == 1 else { throw lost() }
        }
    }

    private func finishConnecting(_ deadline: Deadline) throws(PostgresError) {
        var progress = PGRES_POLLING_WRITING
        while true {
            guard PQstatus(try opened()) != CONNECTION_BAD else { throw lost() }
            switch progress {
            case PGRES_POLLING_OK:
                PQsetnonblocking(try opened(), 1)
                return
            case PGRES_POLLING_FAILED: throw lost()
            case PGRES_POLLING_READING: try awaitSocket(deadline, writing: false, isConnecting: true)
            default: try awaitSocket(deadline, writing: true, isConnecting: true)
            }
            progress = PQconnectPoll(try opened())
        }
    }

    /// Waits for the socket, within the deadline and until an interruption.
    /// - Parameter isConnecting: only what was asked for counts; else bytes to read end a wait for writing as well.
    private func awaitSocket(
        _ deadline: Deadline, writing: Bool, isConnecting: Bool = false
    ) throws(PostgresError) {
        while true {
            if interrupt.isInterrupted { throw ended(.interrupted, "interrupted") }
            if deadline.isOver { throw ended(.timedOut, "the server did not answer within \(deadline.patience)") }
            let events = writing ? (isConnecting ? POLLOUT : POLLOUT | POLLIN) : POLLIN
            var poller = pollfd(fd: PQsocket(try opened()), events: Int16(events), revents: 0)
            let ready = poll(&poller, 1, Self.slice)
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw ended(.connection, String(cString: strerror(errno))) }
        }
    }

    // MARK: Errors

    private func opened() throws(PostgresError) -> OpaquePointer {
        guard let handle else { throw PostgresError(.connection, "the connection is closed") }
        return handle
    }

    private func ended(_ kind: PostgresError.Kind, _ message: String) -> PostgresError {
        close()
        return PostgresError(kind, message)
    }

    private func lost(_ message: String? = nil) -> PostgresError {
        let said = handle.flatMap { PQerrorMessage($0) }.map { String(cString: $0) } ?? ""
        return ended(.connection, message ?? (said.isEmpty ? "the connection was lost" : said))
    }

    private func refused(_ result: OpaquePointer) -> PostgresError {
        let field = { (code: Character) -> String? in
            PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
        }
        let primary = field("M") ?? PQresultErrorMessage(result).map { String(cString: $0) } ?? "the server refused"
        guard let state = field("C") else { return PostgresError(.connection, primary) }
        let detail = field("D").map { " (\($0))" } ?? ""
        return PostgresError(.server(sqlState: state), primary + detail)
    }

    private static func withCStrings<Value>(
        _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
    ) -> Value {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var pointers = copies.map { $0.map { UnsafePointer($0) } }
        pointers.append(nil)
        return pointers.withUnsafeBufferPointer { buffer in
            // Never empty: it ends with a null pointer.
            buffer.baseAddress.map(body) ?? body([nil])
        }
    }
}

/// An instant of the monotonic clock.
private struct Deadline {
    let patience: Duration
    private let end: ContinuousClock.Instant

    init(_ patience: Duration) {
        self.patience = patience
        end = .now.advanced(by: patience)
    }

    var isOver: Bool { ContinuousClock.now >= end }
}
