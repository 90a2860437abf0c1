public import DeviceKit

extension ZKTecoDriver: Discovering {
    public static let usualEndpoints = [DiscoveryEndpoint(.tcp, port: 4_370), DiscoveryEndpoint(.udp, port: 4_370)]
    public static let timeoutKey: String? = "timeout"
    public static let credentialsKey: String? = "password"

    public static func settings(for endpoint: Endpoint) -> [String: String] {
        var settings = ["address": endpoint.host, "port": String(endpoint.port)]
        settings["transport"] = endpoint.kind.rawValue
        return settings
    }
}
