/// What a device says of itself beyond its ``DeviceIdentity``: for people who look after it.
public struct DeviceDetails: Sendable, Hashable, Codable {
    /// One value under the device's own name for it.
    public struct Option: Sendable, Hashable, Codable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public var identity: DeviceIdentity
    /// The network address that the device believes to have, as it writes it, for example `192.168.1.201`.
    public var networkAddress: String?
    public var networkMask: String?
    public var gateway: String?
    /// Templates load only into devices with the same version of the algorithm.
    public var fingerprintAlgorithm: String?
    public var faceAlgorithm: String?
    /// What it is doing now, in a word, for example `waiting`.
    public var activity: String?
    /// Everything else, in the order in which it was asked for. No secrets.
    public var options: [Option]

    public init(
        identity: DeviceIdentity, networkAddress: String? = nil, networkMask: String? = nil, gateway: String? = nil,
        fingerprintAlgorithm: String? = nil, faceAlgorithm: String? = nil, activity: String? = nil,
        options: [Option] = []
    ) {
        self.identity = identity
        self.networkAddress = networkAddress
        self.networkMask = networkMask
        self.gateway = gateway
        self.fingerprintAlgorithm = fingerprintAlgorithm
        self.faceAlgorithm = faceAlgorithm
        self.activity = activity
        self.options = options
    }
}

/// A device that tells of itself.
public protocol DeviceDetailsReading: DeviceSession {
    /// What the device does not know is missing, which is not a fault.
    func readDetails() async throws(DeviceFault) -> DeviceDetails
}

/// A device whose settings have names.
public protocol DeviceOptionReading: DeviceSession {
    /// The value under the device's own name, or `nil` when it knows no such option.
    /// - Throws: ``DeviceFault/Code/invalidRequest`` for a name that cannot be one, and for one that holds a secret.
    func readOption(_ name: String) async throws(DeviceFault) -> String?
}

/// How many the device holds of everything, and how many it has room for. Counts are zero or more; `nil` where the
/// device does not say.
public struct DeviceCounts: Sendable, Hashable, Codable {
    public var people: Int?
    public var peopleCapacity: Int?
    public var administrators: Int?
    public var passwords: Int?
    public var fingerprints: Int?
    public var fingerprintCapacity: Int?
    public var faces: Int?
    public var faceCapacity: Int?
    public var records: Int?
    public var recordCapacity: Int?
    /// Entries of the operation log.
    public var operations: Int?

    public init() {}
}

/// A device that counts what it holds.
public protocol DeviceCounting: DeviceSession {
    func readCounts() async throws(DeviceFault) -> DeviceCounts
}
