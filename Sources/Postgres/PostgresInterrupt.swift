internal import Synchronization

/// Ends waits of a connection from another thread. One use.
public final class PostgresInterrupt: Sendable {
    private let flag = Atomic(false)

    public init() {}

    public func interrupt() { flag.store(true, ordering: .relaxed) }

    public var isInterrupted: Bool { flag.load(ordering: .relaxed) }
}
