extension SettingType where Value == Duration {
    /// A length of time with its unit: `250ms`, `10s`, `5m`, `1h30m`, `7d`.
    public static func duration(in range: ClosedRange<Duration>) -> SettingType<Duration> {
        let bounds = "\(DurationText.format(range.lowerBound))…\(DurationText.format(range.upperBound))"
        return SettingType(
            name: "duration \(bounds)",
            schema: .object([
                "type": "string",
                "pattern": .pattern("(?=.)(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?"),
            ]),
            write: { .string(DurationText.format($0)) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a duration").text
                guard let duration = DurationText.parse(text) else {
                    let isNumber = DecimalText.isDigits(text)
                    throw node.error(
                        isNumber ? "\(text.shortened) has no unit" : "'\(text.shortened)' is not a duration",
                        code: "wrong-form",
                        hint: isNumber ? "write \(text.shortened)s for seconds" : "write it as 250ms, 10s, 5m or 1h30m")
                }
                guard range.contains(duration) else {
                    throw node.error("\(text) is outside \(bounds)", code: "out-of-range")
                }
                return duration
            })
    }
}

extension SettingType where Value == Rate {
    /// How often something happens: `2/min`.
    public static func rate(in range: ClosedRange<Double>) -> SettingType<Rate> {
        SettingType(
            name: "rate",
            schema: .object([
                "type": "string", "pattern": .pattern(#"[0-9]+(?:\.[0-9]+)?/(?:s|min|h|day)"#),
            ]),
            write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a rate").text
                guard let rate = Rate(text) else {
                    throw node.error(
                        "'\(text.shortened)' is not a rate", code: "wrong-form",
                        hint: "write it as 2/min, 0.5/s, 100/h or 30/day")
                }
                guard range.contains(rate.perSecond) else {
                    throw node.error(
                        "\(text) is outside \(DecimalText.text(range.lowerBound))…"
                            + "\(DecimalText.text(range.upperBound)) per second", code: "out-of-range")
                }
                return rate
            })
    }
}

extension SettingType where Value == DeviceTimeZone {
    /// A name of the IANA time zone database.
    public static var timeZone: SettingType<DeviceTimeZone> {
        SettingType(
            name: "IANA time zone", schema: .object(["type": "string"]),
            write: { .string($0.identifier) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a time zone").text
                guard let zone = DeviceTimeZone(identifier: text) else {
                    throw node.error(
                        "'\(text.shortened)' is not a time zone of the IANA database", code: "unknown-zone",
                        hint: "write it as Region/City, for example Asia/Ho_Chi_Minh")
                }
                return zone
            })
    }
}

extension SettingType where Value == CronSchedule {
    /// Five fields of cron.
    public static var cron: SettingType<CronSchedule> {
        SettingType(
            name: "cron schedule", schema: .object(["type": "string"]),
            write: { .string($0.text) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a cron schedule").text
                do throws(CronSchedule.ParseError) {
                    return try CronSchedule(text)
                } catch {
                    throw node.error(
                        error.message, code: "wrong-schedule",
                        hint: #"every five minutes is "*/5 * * * *", daily at 06:30 is "30 6 * * *""#)
                }
            })
    }
}

extension SettingType where Value == DayWindow {
    /// A part of each day: `06:00-20:00`.
    public static var dayWindow: SettingType<DayWindow> {
        SettingType(
            name: "part of a day as in 06:00-20:00",
            schema: .object(["type": "string", "pattern": .pattern("[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]")]),
            write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("a part of a day").text
                guard let window = DayWindow(text) else {
                    throw node.error(
                        "'\(text.shortened)' is not a part of a day", code: "wrong-form",
                        hint: "write it as 06:00-20:00, or 22:00-06:00 for one that goes past midnight")
                }
                return window
            })
    }
}
