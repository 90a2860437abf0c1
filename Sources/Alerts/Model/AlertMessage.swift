public import DeviceKit

/// What a channel is to bring to people: finished text, and the same as facts for programs.
public struct AlertMessage: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Hashable, Codable {
        /// For the first time, through this channel.
        case firing
        /// More has come to it, or it has become graver.
        case update
        /// It still goes on.
        case reminder
        /// It is over.
        case resolved
        /// What could not be told one by one.
        case digest
        case test
    }

    /// One subject of an incident.
    public struct Item: Sendable, Hashable, Codable {
        public var rule: AlertRule
        public var subject: AlertSubject
        /// What people call it.
        public var name: String
        public var severity: AlertSeverity
        public var detail: String
        public var since: Instant
        public var resolvedAt: Instant?
        public var recovered: Int
    }

    /// Stable across attempts and unique for ever: `b71fe0c2.17.3`.
    public var id: String
    public var kind: Kind
    public var severity: AlertSeverity
    /// `nil` for a digest and a test.
    public var incident: Int64?
    /// The same for all messages of an incident: `b71fe0c2.17`.
    public var thread: String
    /// One line.
    public var title: String
    /// Lines for people, without the title.
    public var text: String
    public var site: String?
    public var cause: String?
    public var at: Instant
    public var since: Instant?
    public var acknowledgedBy: String?
    /// ``mostItems`` at the most.
    public var items: [Item] = []
    /// How many subjects there are, and how many of them are well again.
    public var itemCount = 0
    public var resolvedCount = 0
    public var recovered = 0
    /// It is told although it is quiet time.
    var breaksThrough = false

    static let mostItems = 1_000

    public init(
        id: String, kind: Kind, severity: AlertSeverity, incident: Int64? = nil, thread: String, title: String,
        text: String, at: Instant
    ) {
        self.id = id
        self.kind = kind
        self.severity = severity
        self.incident = incident
        self.thread = thread
        self.title = title
        self.text = text
        self.at = at
    }
}
