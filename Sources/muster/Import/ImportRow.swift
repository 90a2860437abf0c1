internal import DeviceKit
internal import Foundation

/// A punch from another system, from fields that go by several names.
struct ImportRow: Sendable, Hashable {
    /// What the other system calls the device; `nil` where it does not say.
    var device: String?
    /// The record's wall clock is that of the source, or of UTC where ``time`` is known and the zone is not.
    var code: String
    var time: Instant?
    var localTime: LocalDateTime?
    var direction: Direction
    var verification: Verification
    var workCode: String?
    /// The source says that the punch counts for nothing.
    var isInvalid: Bool
    var notes: String
    var raw: RawJSON

    /// Why a row is no punch.
    struct Problem: Error, Hashable {
        let reason: String
    }

    private static let codeKeys = ["code", "attendance_code", "user_id", "emp_code", "pin", "enroll_number"]
    private static let timeKeys = ["time", "timestamp", "punch_time", "datetime", "date_time"]
    private static let directionKeys = ["direction_raw", "punch", "punch_state", "state"]
    private static let verificationKeys = ["verification_raw", "verify_type", "verify"]
    static let deviceKeys = ["device", "device_name", "device_id", "terminal", "terminal_sn"]

    /// - Parameter fields: by name, in any case; nested values as JSON text.
    init(_ fields: [String: String]) throws(Problem) {
        let fields = Dictionary(fields.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
        func first(_ keys: [String]) -> String? { keys.lazy.compactMap { fields[$0] }.first { !$0.isEmpty } }
        guard let code = first(Self.codeKeys).map({ Self.unguarded($0) }) else {
            throw Problem(reason: "no user id: looked for \(Self.codeKeys.joined(separator: ", "))")
        }
        self.code = code
        device = first(Self.deviceKeys).map { Self.unguarded($0) }
        guard let timeText = first(Self.timeKeys) ?? fields["local_time"] else {
            throw Problem(reason: "no time: looked for \(Self.timeKeys.joined(separator: ", "))")
        }
        time = Instant(rfc3339: timeText)
        localTime = Self.localTime(fields["local_time"] ?? "") ?? (time == nil ? Self.localTime(timeText) : nil)
        guard time != nil || localTime != nil else {
            throw Problem(reason: "'\(timeText.prefix(40))' is no date and time")
        }
        // The older systems keep what their library said in a column of JSON.
        let raw = (fields["raw"] ?? fields["raw_data"]).flatMap { Self.members(of: $0) == nil ? nil : $0 }
        let said = raw.flatMap { Self.members(of: $0) } ?? [:]
        let directionNumber = (first(Self.directionKeys) ?? said["punch"]).flatMap { Int($0) }
        let direction = AttlogCodes.direction(directionNumber)
        self.direction =
            fields["direction"].flatMap { Direction.Kind(rawValue: $0) }.map { Direction($0, raw: direction.raw) }
            ?? fields["direction"].flatMap { Int($0) }.map { AttlogCodes.direction($0) } ?? direction
        let verificationNumber = (first(Self.verificationKeys) ?? said["status"]).flatMap { Int($0) }
        let verification = AttlogCodes.verification(verificationNumber)
        self.verification =
            fields["verification"].flatMap { Verification.Kind(rawValue: $0) }
            .map { Verification($0, raw: verification.raw) } ?? verification
        workCode = fields["work_code"].flatMap { $0.isEmpty ? nil : Self.unguarded($0) }
        isInvalid = fields["is_valid"].map { ["false", "f", "no", "0"].contains($0.lowercased()) } ?? false
        notes = fields["notes"].map { Self.unguarded($0) } ?? ""
        self.raw = RawJSON(trusted: raw ?? Self.object(fields))
    }

    /// The members of a JSON object as texts, nested values as JSON; `nil` for a text that is none.
    static func members(of text: String) -> [String: String]? {
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            return nil
        }
        return object.compactMapValues { value in
            switch value {
            case is NSNull: return nil
            case let text as String: return text
            case let number as NSNumber: return number.stringValue
            default:
                let data = try? JSONSerialization.data(withJSONObject: value, options: [.sortedKeys])
                return data.map { String(decoding: $0, as: UTF8.self) }
            }
        }
    }

    /// `2026-11-24 08:00:00` with or without a fraction, which is dropped.
    private static func localTime(_ text: String) -> LocalDateTime? {
        let whole = text.split(separator: ".", maxSplits: 1).first ?? ""
        return LocalDateTime(whole)
    }

    /// Our own CSV puts an apostrophe before what a spreadsheet would take for a formula.
    private static func unguarded(_ text: String) -> String {
        guard text.first == "'", let next = text.dropFirst().first, "=+-@\t\r".contains(next) else { return text }
        return String(text.dropFirst())
    }

    private static func object(_ fields: [String: String]) -> String {
        JSONNode.object(fields.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value)) }).text()
    }
}
