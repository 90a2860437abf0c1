public import DeviceKit
public import Journal

/// How a running host stands at one moment: what metrics and checks are made of.
public struct HostCensus: Sendable {
    public struct Device: Sendable {
        public var device: HostConfiguration.Device
        public var status: DeviceStatus?
        /// Of one moment for all devices, so that they add up.
        public var counters: DeviceCounters
        public var isConnected: Bool
        /// The word of the lifecycle's state.
        public var state: String
        /// Connected, polled or received from.
        public var lastContact: Instant?
        /// The time of the newest punch that is not in the future.
        public var lastPunch: Instant?
    }

    public struct Sink: Sendable {
        public var sink: HostConfiguration.Sink
        public var status: SinkStatus?
        /// Punches that it has still to get.
        public var backlog: Int
        /// When the oldest of them arrived at the host.
        public var oldestWaiting: Instant?
    }

    public struct Journal: Sendable {
        public var usedByteCount: Int
        public var quota: ByteCount?
        /// Commits that have begun and not ended.
        public var waitingCommits: Int
    }

    public var takenAt: Instant
    public var devices: [Device]
    public var sinks: [Sink]
    public var journal: Journal
}
