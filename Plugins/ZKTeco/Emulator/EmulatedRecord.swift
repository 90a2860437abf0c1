public import DeviceKit

/// One attendance record as the terminal knows it, before any wire form has dropped a field. The ground truth.
public struct EmulatedRecord: Sendable, Hashable, Codable {
    /// The slot of the person in the user table.
    public let uid: UInt16
    /// The user id that the person types.
    public let code: String
    /// The terminal's wall clock, in years 2000...2099.
    public let localTime: LocalDateTime
    /// Raw verification number, for example 1 for a fingerprint.
    public let verification: UInt8
    /// Raw state number: 0 in, 1 out, 2 break out, 3 break in, 4 and 5 overtime, 255 none.
    public let state: UInt8
    public let workCode: UInt32

    public init(
        uid: UInt16, code: String, localTime: LocalDateTime, verification: UInt8 = 1, state: UInt8 = 0,
        workCode: UInt32 = 0
    ) {
        self.uid = uid
        self.code = code
        self.localTime = localTime
        self.verification = verification
        self.state = state
        self.workCode = workCode
    }

    private enum CodingKeys: String, CodingKey {
        case uid, code
        case localTime = "local_time"
        case verification, state
        case workCode = "work_code"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let text = try values.decode(String.self, forKey: .localTime)
        guard let localTime = LocalDateTime(text) else {
            throw DecodingError.dataCorruptedError(
                forKey: .localTime, in: values, debugDescription: "\(text) is no date and time")
        }
        self.init(
            uid: try values.decode(UInt16.self, forKey: .uid),
            code: try values.decode(String.self, forKey: .code),
            localTime: localTime,
            verification: try values.decode(UInt8.self, forKey: .verification),
            state: try values.decode(UInt8.self, forKey: .state),
            workCode: try values.decode(UInt32.self, forKey: .workCode))
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(uid, forKey: .uid)
        try values.encode(code, forKey: .code)
        try values.encode(localTime.description, forKey: .localTime)
        try values.encode(verification, forKey: .verification)
        try values.encode(state, forKey: .state)
        try values.encode(workCode, forKey: .workCode)
    }
}
