internal import DeviceKit
internal import MusterHost

/// Which of our devices another system means.
struct DeviceMapping: Sendable {
    private let configuration: HostConfiguration
    /// Everything belongs to this device, whatever the source says.
    private let only: HostConfiguration.Device?
    private let mapped: [String: HostConfiguration.Device]

    /// - Parameter pairs: `OLD=NEW`.
    init(_ configuration: HostConfiguration, only: String?, pairs: [String]) throws {
        self.configuration = configuration
        self.only = try only.map { try configuration.device(named: $0) }
        var mapped: [String: HostConfiguration.Device] = [:]
        for pair in pairs {
            let parts = pair.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count > 1, let new = parts.last else {
                throw Failure(Exit.usage, "--map \(pair): write it as OLD=NEW")
            }
            mapped[parts.dropLast().joined(separator: "=")] = try configuration.device(named: String(new))
        }
        self.mapped = mapped
    }

    /// - Parameter names: what the other system calls the device; empty where it does not say.
    func device(_ names: [String]) -> HostConfiguration.Device? {
        if let mapped = names.lazy.compactMap({ mapped[$0] }).first { return mapped }
        if let only { return only }
        return names.lazy.compactMap { name in
            configuration.devices.first { $0.id.name == name || $0.name == name }
        }.first
    }
}
