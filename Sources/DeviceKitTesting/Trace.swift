public import DeviceKit
internal import Synchronization

/// One thing that a test double saw.
public enum TraceEvent: Sendable, Hashable {
    case dialled(Endpoint)
    /// The driver sent these bytes.
    case sent([UInt8])
    /// The driver was given these bytes.
    case received([UInt8])
    /// The driver closed its link.
    case closed
    case subscribed
    /// The driver called `receive` with this many records.
    case receiveBegan(Int)
    /// `receive` returned: the batch is durable.
    case receiveReturned(Int)
    /// `receive` threw: the batch is not durable.
    case receiveFailed(Int)
}

/// What happened in which order, across all doubles that share it.
public final class Trace: Sendable {
    private let recorded = Mutex<[TraceEvent]>([])

    public init() {}

    public func note(_ event: TraceEvent) { recorded.withLock { $0.append(event) } }

    public var events: [TraceEvent] { recorded.withLock { $0 } }
}
