/// A driver whose devices can be found by asking at addresses: the host opens a session with settings that the driver
/// proposes, and closes it again.
public protocol Discovering: DeviceDriver {
    /// Where such devices listen unless somebody changed it. The next one is tried where the one before is refused.
    static var usualEndpoints: [DiscoveryEndpoint] { get }

    /// What would stand under `settings:` of a device at this place, with no credentials.
    static func settings(for endpoint: Endpoint) -> [String: String]

    /// The setting that bounds a wait for an answer; `nil` where there is none.
    static var timeoutKey: String? { get }

    /// The setting for what a locked device wants; `nil` where devices are never locked.
    static var credentialsKey: String? { get }
}

/// A port that devices of a family listen on.
public struct DiscoveryEndpoint: Sendable, Hashable {
    public let kind: Endpoint.Kind
    public let port: UInt16

    public init(_ kind: Endpoint.Kind, port: UInt16) {
        self.kind = kind
        self.port = port
    }
}
