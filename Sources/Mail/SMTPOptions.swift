/// How a mail server is reached and who asks.
public struct SMTPOptions: Sendable, Hashable {
    public enum Security: String, Sendable, Hashable, CaseIterable {
        /// In clear. For a server on the same machine.
        case none
        /// In clear at first, then TLS (port 587); a server that cannot is given nothing.
        case startTLS = "starttls"
        /// TLS from the first byte (port 465).
        case tls
    }

    public struct Credentials: Sendable, Hashable {
        public var user: String
        public var password: String

        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    public var host: String
    public var port: UInt16
    public var security: Security
    public var credentials: Credentials?
    /// A PEM file with the authorities to trust; `nil` for those of the system.
    public var authority: String?
    /// The name by which this host introduces itself.
    public var clientName = "localhost"
    /// What connecting may take, and what one message may take with it.
    public var timeout: Duration = .seconds(30)

    public init(host: String, port: UInt16, security: Security) {
        self.host = host
        self.port = port
        self.security = security
    }
}

/// Why a message was not taken.
public struct MailError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The server could not be reached, or was lost, or asks for patience (4xx). Try again later.
        case transient
        /// The server refuses who asks, the message or all of its recipients (5xx).
        case refused
        /// TLS could not be set up: a certificate is not trusted, or the server offers none.
        case security
        /// The options cannot work.
        case options
        case cancelled
    }

    public let kind: Kind
    /// One sentence; never a password.
    public let message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}

/// A recipient that the server did not take while it took others.
public struct RefusedRecipient: Sendable, Hashable {
    public let address: String
    public let reason: String
}
