internal import DeviceKit
internal import ZKTecoWire

/// From the terminal's numbers to the field's words. The numbers are always kept.
enum RecordMapping {
    static func direction(_ state: UInt8) -> Direction {
        let kind: Direction.Kind =
            switch state {
            case 0: .in
            case 1: .out
            case 2: .breakOut
            case 3: .breakIn
            case 4: .overtimeIn
            case 5: .overtimeOut
            default: .unknown
            }
        return Direction(kind, raw: Int(state))
    }

    /// The numbers differ by generation; this is the reading of colour and face terminals, with the card of older ones
    /// at 2. Not verified on hardware beyond fingerprint (1) and face (15), which captures show.
    static func verification(_ number: UInt8) -> Verification {
        let kind: Verification.Kind =
            switch number {
            case 0, 3: .password
            case 1: .fingerprint
            case 2, 4: .card
            case 5...14: .combination
            case 15: .face
            case 25: .palm
            default: .unknown
            }
        return Verification(kind, raw: Int(number))
    }

    static func punch(
        _ record: AttendanceRecord, code: String, layout: RecordLayout, bytes: ArraySlice<UInt8>
    ) -> PunchRecord {
        var raw = JSONObjectWriter(capacity: 192)
        raw.member("layout", layout.rawValue)
        if let uid = record.uid { raw.member("uid", uid) }
        raw.member("verification", record.verification)
        raw.member("state", record.state)
        raw.member("bytes", hex: bytes)
        return PunchRecord(
            code: code, localTime: record.time, direction: direction(record.state),
            verification: verification(record.verification),
            workCode: record.workCode.flatMap { $0 == 0 ? nil : String($0) }, raw: raw.finish())
    }

    static func punch(_ event: LiveEvent, bytes: [UInt8]) -> PunchRecord {
        var raw = JSONObjectWriter(capacity: 192)
        raw.member("event", bytes.count)
        raw.member("verification", event.verification)
        raw.member("state", event.state)
        raw.member("bytes", hex: bytes)
        return PunchRecord(
            code: event.code, localTime: event.time, direction: direction(event.state),
            verification: verification(event.verification), raw: raw.finish())
    }

    /// - Parameter name: already decoded.
    static func person(_ user: UserRecord, name: String) -> Person {
        Person(
            code: user.code, name: name, privilege: privilege(user.privilege), isEnabled: user.privilege & 1 == 0,
            card: user.card == 0 ? nil : String(user.card), group: user.group == 0 ? nil : Int(user.group))
    }

    /// Bits 1 to 3 of a user's privilege.
    static func privilege(_ number: UInt8) -> Person.Privilege {
        switch number >> 1 & 7 {
        case 0: .user
        case 1: .enroller
        case 7: .administrator
        default: .manager
        }
    }
}
