/// What a terminal says of itself when a session opens. A field that the terminal does not know is `nil`.
public struct DeviceIdentity: Sendable, Hashable, Codable {
    /// The maker's serial number. The cursor belongs to it, not to the address.
    public var serialNumber: String?
    /// The platform, or the number under which the device is registered with its vendor.
    public var registrationNumber: String?
    public var model: String?
    public var firmware: String?
    /// Hardware address, `00:17:61:aa:bb:cc`.
    public var macAddress: String?

    public init(
        serialNumber: String? = nil, registrationNumber: String? = nil, model: String? = nil,
        firmware: String? = nil, macAddress: String? = nil
    ) {
        self.serialNumber = serialNumber
        self.registrationNumber = registrationNumber
        self.model = model
        self.firmware = firmware
        self.macAddress = macAddress
    }
}

/// How full a terminal's own log is. Counts are zero or more; `nil` where the terminal does not say.
public struct LogInventory: Sendable, Hashable {
    /// Records that the log holds.
    public var recordCount: Int?
    public var recordCapacity: Int?
    public var peopleCount: Int?
    /// The wall time of the oldest record.
    public var oldest: LocalDateTime?

    public init(
        recordCount: Int? = nil, recordCapacity: Int? = nil, peopleCount: Int? = nil, oldest: LocalDateTime? = nil
    ) {
        self.recordCount = recordCount
        self.recordCapacity = recordCapacity
        self.peopleCount = peopleCount
        self.oldest = oldest
    }
}

/// Somebody who is enrolled on a terminal. No credentials: passwords and templates are never read for a listing.
public struct Person: Sendable, Hashable, Codable {
    /// What somebody may do at the terminal itself.
    public enum Privilege: String, Sendable, Hashable, Codable, CaseIterable {
        case user, enroller, manager, administrator
    }

    /// The user id that punches carry.
    public var code: String
    public var name: String
    public var privilege: Privilege
    public var isEnabled: Bool
    /// Card number as the terminal stores it; `nil` when there is none.
    public var card: String?
    /// The access group, 1 or more; `nil` where the device does not say.
    public var group: Int?

    public init(
        code: String, name: String, privilege: Privilege = .user, isEnabled: Bool = true, card: String? = nil,
        group: Int? = nil
    ) {
        self.code = code
        self.name = name
        self.privilege = privilege
        self.isEnabled = isEnabled
        self.card = card
        self.group = group
    }
}
