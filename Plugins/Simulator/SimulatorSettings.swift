public import DeviceKit

/// What can be set for a simulated terminal.
public struct SimulatorSettings: DriverSettings {
    static let people = Setting.integer(
        "people", default: 50, in: 1...SimulationPlan.maximumPeople, "How many people are enrolled.", unit: "people",
        example: "50")
    static let rate = Setting.rate(
        "rate",
        "Punches that come evenly day and night, besides those of the shifts; at most one a second for each person.",
        example: "2/min"
    ).optional
    static let seed = Setting.integer(
        "seed", default: 1, in: 0...Int.max, "Another seed gives other people and other days.", example: "7")
    static let history = Setting.duration(
        "history", default: .seconds(7 * 86_400), in: .zero ... .seconds(366 * 86_400),
        "How far before today the log goes back, in whole days.", example: "30d")
    static let start = Setting<LocalDateTime>(
        "start", .localDateTime,
        "Nothing happened before this local time; needed for rates whose punches since midnight would be too many.",
        example: "2026-11-24 08:00:00"
    ).optional
    static let speedUp = Setting.integer(
        "speed_up", default: 1, in: 1...1_000,
        "How many working days pass in one day: 24 makes every hour a day of mornings, lunches and evenings.",
        unit: "working days a day", example: "24")
    static let clockSkew = Setting.integer(
        "clock_skew", default: 0, in: -366 * 86_400...366 * 86_400,
        "How far the terminal's clock is ahead; negative when it is behind.", unit: "seconds", example: "-90")
    static let drop = Setting.duration(
        "drop", in: .seconds(1) ... .seconds(86_400), "Fault: the link breaks this long after it was opened.",
        example: "30s"
    ).optional
    static let silence = Setting.duration(
        "silence", in: .seconds(1) ... .seconds(86_400),
        "Fault: this long after it was opened the link stays open and nothing comes any more.", example: "1m"
    ).optional
    static let refuse = Setting.integer(
        "refuse", default: 0, in: 0...1_000_000, "Fault: so many connections are refused before the first succeeds.",
        unit: "connections", example: "3")
    static let duplicate = Setting.integer(
        "duplicate", default: 0, in: 0...1_000_000,
        "Fault: after each so many captured punches the last one comes again; 0 is never.", unit: "punches",
        example: "10")
    static let outOfOrder = Setting.integer(
        "out_of_order", default: 0, in: 0...1_000_000,
        "Fault: after each so many captured punches one comes later than its successor; 0 is never.", unit: "punches",
        example: "10")

    public static let schema = SettingsSchema(
        people, rate, seed, history, start, speedUp, clockSkew, drop, silence, refuse, duplicate, outOfOrder)

    let people: Int
    let pace: Pace?
    let seed: UInt64
    let historyDays: Int
    let start: LocalDateTime?
    let speedUp: Int
    let clockSkewSeconds: Int64
    let faults: SimulatedFaults

    /// More punches than this before the first poll are taken for a mistake.
    static let maximumLogCount = 2_000_000.0

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        people = try values.value(Self.people)
        let rate = try values.value(Self.rate)
        pace = rate.flatMap { Pace($0) }
        seed = UInt64(clamping: try values.value(Self.seed))
        historyDays = Int(try values.value(Self.history).components.seconds / 86_400)
        start = try values.value(Self.start)
        speedUp = try values.value(Self.speedUp)
        clockSkewSeconds = Int64(try values.value(Self.clockSkew))
        faults = SimulatedFaults(
            drop: try values.value(Self.drop), silence: try values.value(Self.silence),
            refusals: try values.value(Self.refuse), duplicateEvery: try values.value(Self.duplicate),
            swapEvery: try values.value(Self.outOfOrder))
        if let rate { try checkRate(rate, values) }
    }

    private func checkRate(_ rate: Rate, _ values: SettingsValues) throws(ConfigurationError) {
        if let pace, pace.exceeds(people: people) {
            throw values.error(
                "rate", "\(rate) needs more than \(people) people: nobody punches twice in one second",
                hint: "raise people or lower the rate")
        }
        let count = rate.perSecond * 86_400 * Double(historyDays + 1)
        if start == nil, count > Self.maximumLogCount {
            throw values.error(
                "rate", "\(rate) makes a log of \(Int(count)) punches in \(historyDays + 1) days",
                hint: "set start to a time that is not long ago, or shorten history")
        }
    }

    /// The plan that these settings make for a device.
    func plan(for device: DeviceID, in timeZone: DeviceTimeZone) -> SimulationPlan {
        SimulationPlan(
            device: device, timeZone: timeZone, seed: seed, people: people, pace: pace, workingDaysPerDay: speedUp,
            clockSkewSeconds: clockSkewSeconds, historyDays: historyDays, start: start)
    }
}

extension SettingType where Value == LocalDateTime {
    /// `2026-11-24 08:00:00`.
    static var localDateTime: SettingType<LocalDateTime> {
        SettingType(
            name: "local date and time", schema: .object(["type": "string"]), write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a date and time").text
                guard let time = LocalDateTime(text) else {
                    throw node.error(
                        "'\(text)' is not a date and time", code: "wrong-form", hint: "write it as 2026-11-24 08:00:00")
                }
                return time
            })
    }
}
