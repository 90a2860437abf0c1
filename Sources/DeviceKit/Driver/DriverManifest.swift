/// Who a driver is and what it can do.
public struct DriverManifest: Sendable, Hashable {
    /// The name in `driver:` of the configuration.
    public let id: String
    /// The driver's own version.
    public let version: String
    /// The contract that it was written for: ``kitVersion`` of the DeviceKit it was built with.
    public let kitVersion: Int
    /// One sentence.
    public let summary: String
    public let intakes: Set<IntakeMode>
    public let capabilities: Set<Capability>
    /// The setting that names the device's network address, for the check that no two devices share one.
    public let addressKey: String?
    /// The setting that names the port, with ``addressKey``.
    public let portKey: String?
    /// The setting that says `tcp` or `udp`, where there is a choice.
    public let transportKey: String?

    /// The version of the contract in this module.
    public static let currentKitVersion = 1

    public init(
        id: String, version: String, summary: String, intakes: Set<IntakeMode>, capabilities: Set<Capability>,
        addressKey: String? = nil, portKey: String? = nil, transportKey: String? = nil,
        kitVersion: Int = DriverManifest.currentKitVersion
    ) {
        self.id = id
        self.version = version
        self.summary = summary
        self.intakes = intakes
        self.capabilities = capabilities
        self.addressKey = addressKey
        self.portKey = portKey
        self.transportKey = transportKey
        self.kitVersion = kitVersion
    }
}
