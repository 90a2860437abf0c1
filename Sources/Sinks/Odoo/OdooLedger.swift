internal import DeviceKit

/// What the sink remembers of one employee: the punches of the last weeks, and the attendances that it made of them.
struct OdooLedger: Sendable, Hashable, Codable {
    enum Kind: String, Sendable, Hashable, Codable { case `in`, out, unknown }

    struct Punch: Sendable, Hashable, Codable {
        /// Seconds since 1970.
        var time: Int64
        /// Seconds on the device's wall clock: it decides the day.
        var wall: Int64
        var kind: Kind
    }

    /// An attendance of ours.
    struct Record: Sendable, Hashable, Codable {
        /// `nil` while it is not known whether the server made it.
        var id: Int?
        var interval: OdooDay.Interval
        /// Somebody deleted it at the server: it stays so.
        var isGone = false
    }

    var punches: [Punch] = []
    /// By time.
    var records: [Record] = []

    /// How far back an employee's days can still change.
    static let rememberedSeconds: Int64 = 60 * 86_400
    /// Of somebody who punches more often, as only a broken terminal has them, fewer days can change.
    static let rememberedCount = 2_000

    /// - Returns: whether it is remembered; false for one that is too old.
    mutating func remember(_ punch: Punch) -> Bool {
        let newest = max(punches.last?.time ?? punch.time, punch.time)
        guard punch.time >= oldestKept(newest) else { return false }
        if let place = punches.firstIndex(where: { $0.time == punch.time }) {
            // It comes again, perhaps with another direction, where a policy decides it.
            punches[place] = punch
        } else {
            punches.insert(punch, at: punches.firstIndex { $0.time > punch.time } ?? punches.endIndex)
        }
        let oldest = oldestKept(newest)
        punches.removeAll { $0.time < oldest }
        records.removeAll { $0.interval.checkIn < oldest }
        return true
    }

    private func oldestKept(_ newest: Int64) -> Int64 {
        let byAge = newest - Self.rememberedSeconds
        guard punches.count >= Self.rememberedCount else { return byAge }
        return max(byAge, punches[punches.count - Self.rememberedCount].time)
    }
}

extension OdooLedger.Punch {
    init(_ punch: DeviceKit.Punch) {
        let kind: OdooLedger.Kind =
            switch punch.record.direction.kind {
            case .in, .breakIn, .overtimeIn: .in
            case .out, .breakOut, .overtimeOut: .out
            case .unknown: .unknown
            }
        self.init(time: punch.time.secondsSince1970, wall: punch.localTime.wallSeconds, kind: kind)
    }
}
