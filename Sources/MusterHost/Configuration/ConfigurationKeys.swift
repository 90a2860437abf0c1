import DeviceKit

/// Every key of a configuration that is not a driver's or a sink's own. The loader and the JSON Schema both read these.
enum ConfigurationKeys {
    enum Root {
        static let data = Setting.path(
            "data", default: "muster-data", "Directory of the journal. Relative paths start at this file.")
        static let timezone = Setting.timeZone(
            "timezone", "Time zone of the terminals' wall clocks; a device may have its own."
        ).optional
        static let include = Setting<[String]>(
            "include", .oneOrMorePaths, default: [],
            "More files with devices, as a path or a pattern relative to this file.", example: "devices.d/*.yaml")
        static let schema = SettingsSchema(data, timezone, include)

        static let http = "http"
        static let log = "log"
        static let journal = "journal"
        static let alerts = "alerts"
        static let defaults = "defaults"
        static let sites = "sites"
        static let sinks = "sinks"
        static let devices = "devices"
        static let sections = [http, log, journal, alerts, defaults, sites, sinks, devices]
    }

    enum Journal {
        static let keep = Setting.duration(
            "keep", in: .seconds(86_400) ... .seconds(100 * 366 * 86_400),
            "Punches that every sink has are forgotten after so long; without it they are kept for ever.",
            example: "90d"
        ).optional
        static let quota = Setting.byteCount(
            "quota", in: .megabytes(1)...ByteCount(Int.max),
            "What the journal may take: from 80 % on polls slow down, at 95 % devices are not read until there is room.",
            example: "2GB"
        ).optional
        static let whenFull = Setting<HostConfiguration.Journal.WhenFull>.choice(
            "when_full", default: .wait,
            "At 80 % of the quota: wait, forget-delivered (the oldest punches that every sink has), or forget-oldest "
                + "(also what a sink has not got, which loses it).")
        static let schema = SettingsSchema(keep, quota, whenFull)
    }

    enum HTTP {
        static let enabled = Setting.bool("enabled", default: true, "Whether health and metrics are served over HTTP.")
        static let listen = Setting<ListenAddress>(
            "listen", .listenAddress, default: ListenAddress("127.0.0.1:8080"),
            "Address and port of the HTTP interface. Other machines reach it only with tokens.")
        static let tokens = Setting<[AccessToken]>(
            "tokens", .accessTokens, default: [],
            "Who may ask; muster token new makes one. Without any, everybody on this machine may.",
            example: "[{name: prometheus, role: viewer, sha256: …}]")
        static let schema = SettingsSchema(enabled, listen, tokens)

        enum Token {
            static let name = Setting.string("name", "Whose token it is.", maximumLength: 64, example: "prometheus")
            static let role = Setting<AccessToken.Role>.choice(
                "role", default: .viewer, "viewer reads, operator also starts work, admin also changes things.")
            static let digest = Setting<[UInt8]>("sha256", .digest, "SHA-256 of the token, in hexadecimal.")
            static let schema = SettingsSchema(name, role, digest)
        }
    }

    enum Log {
        static let format = Setting<LogFormat>.choice(
            "format",
            "text for people, json for programs, journal for systemd; by itself what fits where the lines go."
        ).optional
        static let level = Setting<LogLevel>.choice(
            "level", default: .info, "What is logged; muster log-level changes it while the host runs.")
        static let schema = SettingsSchema(format, level)
    }

    enum Site {
        static let concurrency = Setting.integer(
            "concurrency", default: 4, in: 1...1_000,
            "How many logs of the site's devices are read at the same time, at most; the others wait for their turn.",
            unit: "devices")
        static let schema = SettingsSchema(concurrency)
    }

    enum Defaults {
        static let sinks = Setting.list("sinks", of: .text(), "Sinks of devices that name none.", example: "[audit]")
        static let schema = SettingsSchema(sinks)

        static let schedule = "schedule"
        static let clock = "clock"
        static let lifecycle = "lifecycle"
        static let sections = [schedule, clock, lifecycle]
    }

    enum Device {
        static let name = Setting.optionalString("name", "What people call the device.", example: "Main entrance")
        static let location = Setting.optionalString(
            "location", "Where the device hangs.", example: "Building A, ground floor")
        static let driver = Setting.string("driver", "The driver that knows this family of devices.", example: "zkteco")
        static let timezone = Setting.timeZone(
            "timezone", "Time zone of the device's wall clock; otherwise that of the whole configuration."
        ).optional
        static let enabled = Setting.bool("enabled", default: true, "Whether the host works with the device.")
        static let sinks = Setting.list(
            "sinks", of: .text(), "Where the punches go, besides the journal; otherwise the sinks of the defaults.",
            example: "[audit]")
        static let direction = Setting<DirectionPolicy>.choice(
            "direction", default: .device,
            "Who decides which way a punch goes: the device, its place (fixed-in, fixed-out), or the order of a person's "
                + "punches of the day (alternate, first-in-last-out). The terminal's own number is always kept.")
        static let dayBegins = Setting.duration(
            "day_begins", default: .zero, in: .zero ... .seconds(86_399),
            "How long after midnight a working day begins, for the policies that count a person's punches of the day.",
            example: "4h")
        static let site = Setting.optionalString(
            "site", "The place where the device hangs, one of sites: its devices share a way to the host.",
            example: "hq")
        static let schema = SettingsSchema(name, location, site, driver, timezone, enabled, sinks, direction, dayBegins)

        static let settings = "settings"
        static let schedule = "schedule"
        static let clock = "clock"
        static let lifecycle = "lifecycle"
        static let sections = [settings, schedule, clock, lifecycle]
    }

    enum Sink {
        static let type = Setting.string("type", "The type of the sink.", example: "file")
        static let devices = Setting.list(
            "devices", of: .text(), "Only these devices, of those that name the sink.", example: "[front-door]")
        static let directions = Setting.list(
            "directions", of: SettingType<Direction.Kind>.choice, "Only punches that go these ways.",
            example: "[in, out]")
        static let validOnly = Setting.bool(
            "valid_only", default: true, "Whether punches with an implausible time are left out.")
        static let direction = Setting<DirectionPolicy>.choice(
            "direction", "Who decides which way a punch goes, for this sink; otherwise what each device says."
        ).optional
        static let retryBase = Setting.duration(
            "retry_base", default: .seconds(1), in: .milliseconds(10) ... .seconds(3_600),
            "Wait after the first failure; doubles with each further one.")
        static let retryCeiling = Setting.duration(
            "retry_ceiling", default: .seconds(300), in: .milliseconds(10) ... .seconds(86_400),
            "The longest wait after a failure.")
        /// What every type of sink takes besides its own keys.
        static let common = SettingsSchema(devices, directions, validOnly, direction, retryBase, retryCeiling)
    }

    enum Schedule {
        static let poll = Setting.cron(
            "poll", default: try? CronSchedule("*/5 * * * *"),
            "When the device's log is read: minute, hour, day, month and weekday as in cron.")
        static let every = Setting.duration(
            "every", in: .seconds(1) ... .seconds(86_400),
            "How often the device's log is read, in place of poll.", example: "5m"
        ).optional
        static let between = Setting<DayWindow>(
            "between", .dayWindow, "The part of the day in which the log is read by the schedule.",
            example: "06:00-20:00"
        ).optional
        static let timezone = Setting.timeZone(
            "timezone", "Time zone of poll and between; otherwise that of the device."
        ).optional
        static let jitter = Setting.duration(
            "jitter", default: .seconds(60), in: .zero ... .seconds(86_400),
            "Runs come later by a part of this that is fixed for each device, so that a fleet does not read in one second."
        )
        static let offset = Setting.duration(
            "offset", in: .zero ... .seconds(86_400), "Runs come later by exactly so much, in place of jitter.",
            example: "90s"
        ).optional
        static let window = Setting<PollWindow>(
            "window", .window, default: .all, "Which punches of the log are kept: all, today, or so many days as in 7d."
        )
        static let capture = Setting.bool(
            "capture", default: true, "Whether punches are also received as they happen, where the driver can.")
        static let schema = SettingsSchema(poll, every, between, timezone, jitter, offset, window, capture)
        /// Without the keys that stand in place of others.
        static let sample = SettingsSchema(poll, between, timezone, jitter, window, capture)
    }

    enum Clock {
        private static let standard = ClockPlan()

        static let sync = Setting<ClockPlan.Sync>.choice(
            "sync", default: standard.sync,
            "Whether the device's clock is set: never, by drift (when it differs by more than max_drift), or daily.")
        static let maxDrift = Setting.duration(
            "max_drift", default: standard.maxDrift, in: .seconds(2) ... .seconds(86_400),
            "What the device's clock may differ from the host's before an operator is told.")
        static let schema = SettingsSchema(sync, maxDrift)
    }

    enum Lifecycle {
        private static let standard = LifecycleTimers()
        private static let wait: ClosedRange<Duration> = .milliseconds(100) ... .seconds(86_400)

        static let reconnectBase = Setting.duration(
            "reconnect_base", default: standard.reconnectBase, in: wait,
            "Wait before the first new attempt to connect; doubles with each failure.")
        static let reconnectCeiling = Setting.duration(
            "reconnect_ceiling", default: standard.reconnectCeiling, in: wait,
            "The longest wait before a new attempt to connect.")
        static let blockedRetry = Setting.duration(
            "blocked_retry", default: standard.blockedRetry, in: wait,
            "Wait between attempts once the device has refused the credentials.")
        static let alertAfter = Setting.integer(
            "alert_after", default: standard.alertAfter, in: 1...1_000,
            "How many failures in a row alert the operator, once.", unit: "failures")
        static let suspendAfter = Setting.duration(
            "suspend_after", default: standard.suspendAfter, in: .seconds(60) ... .seconds(366 * 86_400),
            "Without a connection for so long, capture is suspended until one succeeds.")
        static let stableAfter = Setting.duration(
            "stable_after", default: standard.stableAfter, in: .seconds(1) ... .seconds(86_400),
            "A link that lasted so long lets the waits before new attempts begin anew.")
        static let openTimeout = Setting.duration(
            "open_timeout", default: standard.openTimeout, in: .seconds(1) ... .seconds(3_600),
            "What opening a connection may take, with authentication and identification.")
        static let keepAliveTimeout = Setting.duration(
            "keep_alive_timeout", default: standard.keepAliveTimeout, in: .milliseconds(100) ... .seconds(3_600),
            "What a device may take to say that it lives; after that the connection is taken for dead.")
        static let heldRetry = Setting.duration(
            "held_retry", default: standard.heldRetry, in: wait,
            "How often a device is looked at that is held because another one answers at its address.")
        static let keepAliveIdle = Setting.duration(
            "keep_alive_idle", default: standard.keepAliveIdle, in: .seconds(1) ... .seconds(86_400),
            "A link that was silent for so long is asked whether it still lives.")
        static let identityRefresh = Setting.duration(
            "identity_refresh", default: standard.identityRefresh, in: .seconds(1) ... .seconds(86_400),
            "How often identity and status of a connected device are read anew.")
        static let pollRetries = Setting.list(
            "poll_retries", of: .duration(in: wait), default: standard.pollRetries, count: 0...10,
            "Waits after which a failed poll is tried again before it waits for the schedule.")
        static let schema = SettingsSchema(
            reconnectBase, reconnectCeiling, stableAfter, openTimeout, blockedRetry, heldRetry, alertAfter,
            suspendAfter,
            keepAliveIdle, keepAliveTimeout, identityRefresh, pollRetries)
    }
}

extension SettingType where Value == [String] {
    /// `devices.d/*.yaml`, or a list of such.
    static var oneOrMorePaths: SettingType<[String]> {
        let one = SettingType<String>.path
        let many = one.list(0...1_000)
        return SettingType(
            name: "path or list of paths", schema: .object(["oneOf": [one.schema, many.schema]]),
            write: { many.write($0) },
            read: { node throws(ConfigurationError) in
                if case .sequence = node.value { return try many.read(node) }
                return [try one.read(node)]
            })
    }
}

extension SettingType where Value == ListenAddress {
    static var listenAddress: SettingType<ListenAddress> {
        SettingType(
            name: "address and port", schema: .object(["type": "string"]), write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("an address and a port").text
                guard let address = ListenAddress(text) else {
                    throw node.error(
                        "'\(text.shortened)' is not an address and a port", code: "wrong-form",
                        hint: "write it as 127.0.0.1:8080 or [::1]:8080")
                }
                return address
            })
    }
}

extension SettingType where Value == [UInt8] {
    /// 64 hexadecimal digits.
    static var digest: SettingType<[UInt8]> {
        SettingType(
            name: "64 hexadecimal digits",
            schema: .object(["type": "string", "pattern": .string(#"^[0-9A-Fa-f]{64}$|\$\{"#)]),
            write: { .string(HexDump.hex($0)) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("64 hexadecimal digits").text
                guard let bytes = HexDump.bytes(text), bytes.count == 32 else {
                    throw node.error(
                        "is not the SHA-256 of a token: it has 64 hexadecimal digits", code: "wrong-form",
                        hint: "muster token new prints the digest beside the token")
                }
                return bytes
            })
    }
}

extension SettingType where Value == [AccessToken] {
    /// Mappings with `name`, `role` and `sha256`.
    static var accessTokens: SettingType<[AccessToken]> {
        let keys = ConfigurationKeys.HTTP.Token.schema
        return SettingType(
            name: "list of tokens",
            schema: .object(["type": "array", "items": keys.jsonSchema, "maxItems": 100]),
            write: { .array($0.map { .string($0.name) }) },
            read: { node throws(ConfigurationError) in
                let nodes = try node.elements()
                guard nodes.count <= 100 else { throw node.error("has more than 100 tokens", code: "out-of-range") }
                var tokens: [AccessToken] = []
                var report: [Diagnostic] = []
                for node in nodes {
                    guard let values = keys.decode(node, reportingTo: &report) else { continue }
                    let token = try AccessToken(values)
                    if tokens.contains(where: { $0.name == token.name }) {
                        report += node.error("there is a token of the name '\(token.name)' already").diagnostics
                    }
                    tokens.append(token)
                }
                guard !report.contains(where: { $0.severity == .error }) else { throw ConfigurationError(report) }
                return tokens
            })
    }
}

extension AccessToken {
    fileprivate init(_ values: SettingsValues) throws(ConfigurationError) {
        typealias Keys = ConfigurationKeys.HTTP.Token
        self.init(
            name: try values.value(Keys.name), role: try values.value(Keys.role), digest: try values.value(Keys.digest))
    }
}

extension SettingType where Value == PollWindow {
    static var window: SettingType<PollWindow> {
        SettingType(
            name: "all, today or days as in 7d",
            schema: .object(["type": "string", "pattern": .string(#"^(?:all|today|[1-9][0-9]{0,3}d)$|\$\{"#)]),
            write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("all, today or days as in 7d").text
                guard let window = PollWindow(text) else {
                    throw node.error(
                        "'\(text.shortened)' is not all, today or 1d…9999d", code: "wrong-form",
                        hint: NearestName.hint(for: text, among: ["all", "today"]))
                }
                return window
            })
    }
}
