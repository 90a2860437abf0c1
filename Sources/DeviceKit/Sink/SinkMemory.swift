internal import Synchronization

/// A few small values that a sink keeps between runs, such as the ids of records that it made at its target. The host
/// stores them durably under the sink's name.
public protocol SinkMemory: Sendable {
    /// - Parameter key: up to 200 characters.
    func value(_ key: String) async throws(SinkFault) -> String?
    /// Returns when the value is on stable storage. `nil` forgets it.
    func set(_ value: String?, for key: String) async throws(SinkFault)
}

/// A memory that ends with the process, for tests and for sinks that remember nothing.
public final class VolatileMemory: SinkMemory {
    private let values = Mutex<[String: String]>([:])

    public init() {}

    public func value(_ key: String) async throws(SinkFault) -> String? { values.withLock { $0[key] } }

    public func set(_ value: String?, for key: String) async throws(SinkFault) { values.withLock { $0[key] = value } }
}
