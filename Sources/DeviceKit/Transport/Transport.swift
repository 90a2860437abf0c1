/// Where a device listens.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// What carries the bytes.
    public enum Kind: String, Sendable, Hashable { case tcp, udp }

    public let kind: Kind
    /// A host name or a literal address, without brackets.
    public let host: String
    /// 1...65535.
    public let port: UInt16

    public init(_ kind: Kind, host: String, port: UInt16) {
        self.kind = kind
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// One open link. A byte stream over TCP, datagrams over UDP.
public protocol Transport: Sendable {
    /// Sends all of `bytes`; over UDP as one datagram. Returns once the system has taken them.
    func send(_ bytes: [UInt8]) async throws(DeviceFault)

    /// The next bytes, at least one; `nil` once the peer has closed. Called by one task at a time. Reads at most 256 KiB
    /// ahead of the caller.
    /// - Throws: ``DeviceFault/Code/connectionLost`` when the link broke, ``DeviceFault/cancelled`` on cancellation.
    func receive() async throws(DeviceFault) -> [UInt8]?

    /// Closes at once. A `receive` that waits ends. May be called more than once.
    func close() async
}

/// Opens links on behalf of a driver.
public protocol Dialer: Sendable {
    /// - Parameter timeout: for name resolution and connecting together.
    /// - Throws: ``DeviceFault/Code/unreachable``, ``DeviceFault/Code/refused``, ``DeviceFault/Code/timedOut`` with the
    ///   endpoint in the message.
    func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport
}
