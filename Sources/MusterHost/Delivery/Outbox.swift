public import DeviceKit
public import Journal

/// What an operator can order of a sink's deliveries. It is carried out by the sink's pump, at once in a running host,
/// else after its next start.
public struct Outbox: Sendable {
    private let configuration: HostConfiguration
    private let journal: PunchJournal

    public init(_ configuration: HostConfiguration, journal: PunchJournal) {
        self.configuration = configuration
        self.journal = journal
    }

    /// The sink tries dead letters once more.
    /// - Parameter positions: `nil` for all that are parked.
    /// - Returns: how many.
    public func retry(_ sink: HostConfiguration.Sink, positions: [Int64]?) async throws(JournalError) -> Int {
        try await journal.retryDeadLetters(of: sink.name, positions: positions)
    }

    /// Dead letters are of no use; they stay for the record.
    /// - Parameter positions: `nil` for all that are parked.
    /// - Returns: how many.
    public func discard(_ sink: HostConfiguration.Sink, positions: [Int64]?) async throws(JournalError) -> Int {
        try await journal.discardDeadLetters(of: sink.name, positions: positions, at: SystemTime().now())
    }

    /// The sink gets punches again that it has had.
    /// - Parameters:
    ///   - devices: names; empty for all of the sink.
    ///   - since: by the time of the punch, inclusive; `until` is exclusive.
    /// - Returns: how many.
    public func replay(
        _ sink: HostConfiguration.Sink, devices: [String], since: Instant?, until: Instant?
    ) async throws(JournalError) -> Int {
        let wanted = configuration.devices(of: sink).map(\.id).filter { devices.isEmpty || devices.contains($0.name) }
        return try await journal.replay(
            to: sink.name, JournalReader.Filter(since: since, until: until), devices: Set(wanted))
    }
}
