/// A punch with its place in the journal.
public struct JournaledPunch: Sendable, Hashable {
    /// Grows by at least one from punch to punch, never reused.
    public let position: Int64
    public let punch: Punch

    public init(position: Int64, punch: Punch) {
        self.position = position
        self.punch = punch
    }
}

/// A place that punches are delivered to. The host makes one per entry under `sinks:` and calls it from one task.
public protocol PunchSink: Sendable {
    /// What can be set under the sink's key in the configuration.
    associatedtype Settings: SinkSettings

    /// The name in `type:` of the configuration and one sentence.
    static var manifest: SinkManifest { get }

    /// Pure: no I/O.
    init(settings: Settings, context: SinkContext) throws(SinkFault)

    /// Prepares the target, and repairs what a crash left behind. Called before the first delivery and again after a
    /// fault.
    func open() async throws(SinkFault)

    /// Delivers a batch in order. Returns only when every accepted punch is safe at the target. A batch may repeat
    /// punches that were delivered before a crash.
    /// - Throws: ``SinkFault`` when nothing of the batch can be promised; the batch comes again.
    func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery

    /// Releases everything. Never throws, may come at any time and more than once.
    func close() async

    /// The most punches that one batch should have, 1 or more. Batches grow to it while a backlog is delivered.
    var largestBatch: Int { get }
}

extension PunchSink {
    public var largestBatch: Int { 1_000 }
}

/// Settings of a sink that decode themselves from values which their ``schema`` has already checked.
public protocol SinkSettings: Sendable {
    /// The one declaration of every key.
    static var schema: SettingsSchema { get }
    /// - Throws: ``ConfigurationError`` for rules between keys.
    init(_ values: SettingsValues) throws(ConfigurationError)
}

/// Who a sink is.
public struct SinkManifest: Sendable, Hashable {
    /// The name in `type:` of the configuration.
    public let id: String
    public let summary: String

    public init(id: String, summary: String) {
        self.id = id
        self.summary = summary
    }
}

/// What a sink may use of the outside world.
public struct SinkContext: Sendable {
    /// The sink's key under `sinks:`.
    public let name: String
    /// Relative paths of the settings start here.
    public let baseDirectory: String
    public let time: any TimeSource
    public let log: any DriverLog
    /// Kept between runs.
    public let memory: any SinkMemory

    public init(
        name: String, baseDirectory: String, time: any TimeSource, log: any DriverLog,
        memory: any SinkMemory = VolatileMemory()
    ) {
        self.memory = memory
        self.name = name
        self.baseDirectory = baseDirectory
        self.time = time
        self.log = log
    }
}

/// What became of each punch of a batch.
public struct Delivery: Sendable, Hashable {
    /// One punch that the target will never take.
    public struct Rejection: Sendable, Hashable {
        /// Its place in the journal.
        public var position: Int64
        /// One sentence: why the target will never take it.
        public var reason: String

        public init(position: Int64, reason: String) {
            self.position = position
            self.reason = reason
        }
    }

    /// Punches that the target refuses for good; the rest are delivered.
    public var rejected: [Rejection]

    /// Everything in the batch is safe at the target.
    public static let allAccepted = Delivery(rejected: [])

    public init(rejected: [Rejection]) { self.rejected = rejected }
}

/// Why a delivery failed as a whole.
public struct SinkFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the host does next.
    public enum Kind: String, Sendable, Hashable {
        /// Try again later with growing delays.
        case transient
        /// Nothing will change until the settings do.
        case permanent
        case cancelled
    }

    public let kind: Kind
    /// One sentence for an operator, with the remedy where there is one. Never a secret.
    public let message: String
    /// The target asked to be left alone for so long; `nil` when it said nothing.
    public let retryAfter: Duration?

    public init(_ kind: Kind, _ message: String, retryAfter: Duration? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfter = retryAfter
    }

    public var description: String { message }
}
