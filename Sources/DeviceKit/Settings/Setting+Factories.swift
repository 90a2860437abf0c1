// The usual settings in one line each. Without a default the key must be given, or ends in `.optional`.

extension Setting where Value == String {
    /// A text of 1 to `maximumLength` characters; empty only where the default is.
    public static func string(
        _ key: String, default fallback: String? = nil, _ summary: String, maximumLength: Int = 1_024,
        example: String? = nil
    ) -> Setting<String> {
        Setting(
            key, .text(maximumLength: maximumLength, allowsEmpty: fallback?.isEmpty ?? false), default: fallback,
            summary, example: example)
    }

    /// A host name or an address, without a port.
    public static func host(
        _ key: String, default fallback: String? = nil, _ summary: String, example: String? = "192.168.1.201"
    ) -> Setting<String> {
        Setting(key, .host, default: fallback, summary, example: example)
    }

    /// A path of the file system; relative ones start where the host says.
    public static func path(
        _ key: String, default fallback: String? = nil, _ summary: String, example: String? = nil
    ) -> Setting<String> {
        Setting(key, .path, default: fallback, summary, example: example)
    }
}

extension Setting where Value == String? {
    /// A text that may be left out.
    public static func optionalString(
        _ key: String, _ summary: String, maximumLength: Int = 1_024, example: String? = nil
    ) -> Setting<String?> {
        Setting<String>.string(key, summary, maximumLength: maximumLength, example: example).optional
    }
}

extension Setting where Value == Secret {
    /// A text that no message, log or dump shows.
    public static func secret(
        _ key: String, default fallback: Secret? = nil, _ summary: String, example: String? = "${DEVICE_PASSWORD}"
    ) -> Setting<Secret> {
        Setting(key, .secret, default: fallback, summary, example: example)
    }
}

extension Setting where Value == UInt16 {
    /// A port, 1...65535.
    public static func port(
        _ key: String, default fallback: UInt16? = nil, _ summary: String, example: String? = nil
    ) -> Setting<UInt16> {
        Setting(key, .port, default: fallback, summary, example: example)
    }
}

extension Setting where Value == Int {
    /// A whole number within `range`.
    public static func integer(
        _ key: String, default fallback: Int? = nil, in range: ClosedRange<Int>, _ summary: String,
        unit: String = "", example: String? = nil
    ) -> Setting<Int> {
        Setting(key, .integer(in: range), default: fallback, summary, unit: unit, example: example)
    }
}

extension Setting where Value == Double {
    /// A decimal number within `range`.
    public static func number(
        _ key: String, default fallback: Double? = nil, in range: ClosedRange<Double>, _ summary: String,
        unit: String = "", example: String? = nil
    ) -> Setting<Double> {
        Setting(key, .number(in: range), default: fallback, summary, unit: unit, example: example)
    }
}

extension Setting where Value == Bool {
    /// `true` or `false`, and no other spelling.
    public static func bool(_ key: String, default fallback: Bool? = nil, _ summary: String) -> Setting<Bool> {
        Setting(key, .bool, default: fallback, summary)
    }
}

extension Setting where Value == Duration {
    /// A length of time with its unit: `250ms`, `10s`, `5m`, `1h30m`.
    public static func duration(
        _ key: String, default fallback: Duration? = nil, in range: ClosedRange<Duration> = .zero...(.seconds(86_400)),
        _ summary: String, example: String? = nil
    ) -> Setting<Duration> {
        Setting(key, .duration(in: range), default: fallback, summary, example: example)
    }
}

extension Setting where Value == Rate {
    /// - Parameter perSecond: how many events a second are allowed.
    public static func rate(
        _ key: String, default fallback: Rate? = nil, perSecond range: ClosedRange<Double> = 0...10_000,
        _ summary: String, example: String? = "2/min"
    ) -> Setting<Rate> {
        Setting(key, .rate(in: range), default: fallback, summary, example: example)
    }
}

extension Setting where Value == DeviceTimeZone {
    /// An IANA zone such as `Asia/Ho_Chi_Minh`.
    public static func timeZone(
        _ key: String, default fallback: DeviceTimeZone? = nil, _ summary: String,
        example: String? = "Asia/Ho_Chi_Minh"
    ) -> Setting<DeviceTimeZone> {
        Setting(key, .timeZone, default: fallback, summary, example: example)
    }
}

extension Setting where Value == CronSchedule {
    /// A schedule of five fields; see ``CronSchedule``.
    public static func cron(
        _ key: String, default fallback: CronSchedule? = nil, _ summary: String, example: String? = "*/5 * * * *"
    ) -> Setting<CronSchedule> {
        Setting(key, .cron, default: fallback, summary, example: example)
    }
}

extension Setting where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the raw values of an enum.
    public static func choice(
        _ key: String, default fallback: Value? = nil, _ summary: String, example: String? = nil
    ) -> Setting<Value> {
        Setting(key, .choice, default: fallback, summary, example: example)
    }
}

extension Setting {
    /// Several values of one type: `[one, two]`. Empty by default unless `count` asks for some.
    public static func list<Element>(
        _ key: String, of type: SettingType<Element>, default fallback: [Element]? = nil,
        count: ClosedRange<Int> = 0...1_000, _ summary: String, example: String? = nil
    ) -> Setting<[Element]> where Value == [Element] {
        let implied = count.lowerBound == 0 ? [] : nil as [Element]?
        return Setting<[Element]>(key, type.list(count), default: fallback ?? implied, summary, example: example)
    }
}
