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

    /// - Returns: whether it is remembered; false for one that is too old.
    mutating func remember(_ punch: Punch) -> Bool {
        let newest = max(punches.last?.time ?? punch.time, punch.time)
        guard punch.time >= newest - Self.rememberedSeconds else { return false }
        if !punches.contains(where: { $0.time == punch.time && $0.kind == punch.kind }) {
            punches.append(punch)
            punches.sort { ($0.time, $0.kind.rawValue) < ($1.time, $1.kind.rawValue) }
        }
        punches.removeAll { $0.time < newest - Self.rememberedSeconds }
        records.removeAll { $0.interval.checkIn < newest - Self.rememberedSeconds }
        return true
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
