public import DeviceKit

/// A way to reach people. The host makes one for each entry under `alerts.channels`.
public protocol AlertChannel: Sendable {
    associatedtype Settings: ChannelSettings

    /// The name in `type:` of the configuration and one sentence.
    static var manifest: ChannelManifest { get }

    /// Pure: no I/O.
    init(settings: Settings, context: ChannelContext) throws(ChannelFault)

    /// Returns once the target has taken the message. One may come twice: after a crash, or when an answer was lost; its
    /// id is the same then. Bounds its own waits and honours cancellation.
    func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt

    /// Releases everything. Never throws, may come at any time and more than once.
    func close() async
}

/// Settings of a channel that decode themselves from values which their ``schema`` has already checked.
public protocol ChannelSettings: Sendable {
    static var schema: SettingsSchema { get }
    /// - Throws: ``ConfigurationError`` for rules between keys.
    init(_ values: SettingsValues) throws(ConfigurationError)
}

/// What a type of channel is called.
public struct ChannelManifest: Sendable, Hashable {
    /// The name in `type:` of the configuration.
    public let id: String
    public let summary: String

    public init(id: String, summary: String) {
        self.id = id
        self.summary = summary
    }
}

/// What a channel may use of the outside world.
public struct ChannelContext: Sendable {
    /// The channel's key under `channels:`.
    public let name: String
    /// Relative paths of the settings start here.
    public let baseDirectory: String
    public let time: any TimeSource
    /// Writes a line into the host's log that an operator must find, with some facts.
    public let announce: @Sendable (_ line: String, _ facts: [String: String]) -> Void

    public init(
        name: String, baseDirectory: String, time: any TimeSource,
        announce: @escaping @Sendable (_ line: String, _ facts: [String: String]) -> Void
    ) {
        self.name = name
        self.baseDirectory = baseDirectory
        self.time = time
        self.announce = announce
    }
}

/// What a target said when it took a message.
public struct ChannelReceipt: Sendable, Hashable {
    /// What it calls the message, for replies in the same thread.
    public var reference: String?
    /// What an operator should know although it was taken, for example a recipient that was refused.
    public var remark: String?

    public init(reference: String? = nil, remark: String? = nil) {
        self.reference = reference
        self.remark = remark
    }
}

/// Why a message did not arrive.
public struct ChannelFault: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable {
        /// Try again later.
        case transient
        /// Nothing will change until the settings do, or an operator's hand at the target.
        case permanent
        case cancelled
    }

    public let kind: Kind
    /// One sentence for an operator. Never a secret.
    public let message: String
    /// The target asked to be left alone for so long.
    public let retryAfter: Duration?

    public init(_ kind: Kind, _ message: String, retryAfter: Duration? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfter = retryAfter
    }

    public var description: String { message }
}
