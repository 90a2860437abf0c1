/// How a broker is reached and who asks.
public struct MQTTOptions: Sendable, Hashable {
    public struct Credentials: Sendable, Hashable {
        public var user: String
        public var password: String

        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// Paths of PEM files.
    public struct Security: Sendable, Hashable {
        /// `nil` for the authorities that the system trusts.
        public var authority: String?
        /// The client's certificate and its key; both or none.
        public var certificate: String?
        public var key: String?

        public init(authority: String? = nil, certificate: String? = nil, key: String? = nil) {
            self.authority = authority
            self.certificate = certificate
            self.key = key
        }
    }

    public var host: String
    public var port: UInt16
    public var clientID: String
    public var credentials: Credentials?
    /// `nil` for a connection in clear.
    public var security: Security?
    /// What the broker publishes when the connection is lost.
    public var will: MQTTMessage?
    /// A broker that is silent for one and a half times as long is given up.
    public var keepAliveSeconds: Int32 = 20

    public init(host: String, port: UInt16, clientID: String) {
        self.host = host
        self.port = port
        self.clientID = clientID
    }
}

/// A message that the broker acknowledges: quality of service 1.
public struct MQTTMessage: Sendable, Hashable {
    public var topic: String
    /// Empty and retained: the broker forgets what it retains on the topic.
    public var payload: [UInt8]
    public var isRetained: Bool

    public init(topic: String, payload: [UInt8], isRetained: Bool = false) {
        self.topic = topic
        self.payload = payload
        self.isRetained = isRetained
    }
}

/// Why a connection failed.
public struct MQTTError: Error, Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// The broker could not be reached, or the connection was lost.
        case connection
        /// The broker does not let this client in.
        case refused
        /// The options cannot work: an unreadable certificate, an impossible topic.
        case options
        /// ``MQTTConnection/giveUp(_:)``, or the task was cancelled.
        case givenUp
    }

    public let kind: Kind
    public let message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
