internal import DeviceKit
internal import ZKTecoWire

/// Time zones, groups and unlock combinations, as the terminal stores them.
struct AccessObjects: Sendable {
    /// 32 bytes: the number, 7 days of 4 bytes, a trailer.
    private var timeZones: [UInt8: [UInt8]] = [:]
    /// 8 bytes: the group, 3 time zones, the verification style.
    private var groups: [UInt8: [UInt8]] = [:]
    /// 8 bytes: the number, 5 groups, how many of them.
    private var combinations: [UInt8: [UInt8]] = [1: [1, 1, 0, 0, 0, 0, 1, 0]]
    /// By slot: 24 bytes with the uid and the style.
    private var styles: [UInt16: UInt8] = [:]

    static let timeZoneNumbers: ClosedRange<UInt32> = 1...50
    static let groupNumbers: ClosedRange<UInt8> = 1...99
    static let combinationNumbers: ClosedRange<UInt8> = 1...10

    func timeZone(_ number: UInt8) -> [UInt8] {
        timeZones[number] ?? [number, 0] + Array(repeatElement([0, 0, 23, 59], count: 7).joined()) + [0, 0]
    }

    /// - Parameter days: 28 bytes.
    mutating func setTimeZone(_ number: UInt8, _ days: ArraySlice<UInt8>) {
        timeZones[number] = [number, 0] + Array(days) + [0, 0]
    }

    func group(_ number: UInt8) -> [UInt8] { groups[number] ?? [number, 1, 0, 0, 0, 0, 0, 0] }
    mutating func setGroup(_ number: UInt8, _ bytes: ArraySlice<UInt8>) { groups[number] = Array(bytes) }

    func combination(_ number: UInt8) -> [UInt8] { combinations[number] ?? [number, 0, 0, 0, 0, 0, 0, 0] }
    mutating func setCombination(_ number: UInt8, _ bytes: ArraySlice<UInt8>) { combinations[number] = Array(bytes) }

    /// 0 is the group's.
    func style(of uid: UInt16) -> UInt8 { styles[uid] ?? 0 }
    mutating func setStyle(_ style: UInt8, of uid: UInt16) { styles[uid] = style }
}
