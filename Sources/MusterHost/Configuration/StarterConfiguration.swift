public import Alerts
public import DeviceKit

/// The file that `muster init` writes: it loads as it stands, shows what matters, and explains the rest.
public enum StarterConfiguration {
    /// - Parameters:
    ///   - timeZone: the zone of this machine, as a first guess.
    ///   - start: the local time at which the simulated terminal's log begins, so that it is not a week long.
    public static func text(
        drivers: DriverRegistry, sinks: SinkRegistry, channels: ChannelRegistry = ChannelRegistry([]),
        timeZone: DeviceTimeZone, start: LocalDateTime
    ) -> String {
        let hasFile = sinks["file"] != nil
        return [
            head(timeZone), channels["email"] == nil ? nil : mail, hasFile ? fileSink : nil,
            devices(drivers, start: start, sinks: hasFile ? ["audit"] : []),
        ].compactMap { $0 }.joined(separator: "\n")
    }

    private static func head(_ timeZone: DeviceTimeZone) -> String {
        """
        # Configuration of Muster. `muster check` finds mistakes, `muster run` collects punches,
        # `muster drivers` lists what a device may be, `muster schema` tells editors every key.

        # \(ConfigurationKeys.Root.data.summary)
        data: ./muster-data

        # \(ConfigurationKeys.Root.timezone.summary)
        timezone: \(timeZone.identifier)

        # \(ConfigurationKeys.Root.include.summary)
        # include: devices.d/*.yaml

        # What devices inherit.
        defaults:
          schedule:
        \(ConfigurationKeys.Schedule.sample.sample(indent: 4))
          clock:
        \(ConfigurationKeys.Clock.schema.sample(indent: 4))
          lifecycle:
        \(ConfigurationKeys.Lifecycle.schema.sample(indent: 4))

        """
    }

    private static let mail = """
        # Who is told when something is wrong; without it the log is. `muster drivers email` shows every key.
        # alerts:
        #   channels:
        #     ops:
        #       type: email
        #       host: smtp.example.com
        #       user: muster@example.com
        #       password: "${SMTP_PASSWORD}"
        #       from: Muster <muster@example.com>
        #       to: [ops@example.com]

        """

    private static let fileSink = """
        # Places that punches are delivered to, besides the journal.
        sinks:
          audit:
            type: file
            path: "audit/{device}-{date}.jsonl"

        """

    private static func devices(_ drivers: DriverRegistry, start: LocalDateTime, sinks: [String]) -> String {
        let delivery = sinks.isEmpty ? [] : ["  sinks: [\(sinks.joined(separator: ", "))]"]
        var lines = ["# The names are yours: letters, digits, hyphens.", "devices:"]
        if let simulator = drivers["simulator"] {
            lines += ["  # A terminal that is not there, to look around. Delete it when the first real one works."]
            let device =
                ["lobby:", "  name: Simulated lobby", "  driver: simulator"]
                + settings(simulator, ["people": "50", "rate": "12/min", "start": "\"\(start)\""]) + delivery
            lines += device.map { "  \($0)" }
        }
        if let zkteco = drivers["zkteco"] {
            lines += ["", "  # A ZKTeco terminal: take away the first \"# \" of these lines and write its address."]
            let device =
                ["front-door:", "  name: Main entrance", "  location: Building A", "  driver: zkteco"]
                + settings(zkteco, ["password": "\"${FRONT_DOOR_KEY:-0}\""]) + delivery
            lines += device.map { "  # \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The settings that matter at first, and where the others are told.
    private static func settings(_ driver: DriverRegistration, _ live: [String: String]) -> [String] {
        let known = live.filter { driver.schema.keys.contains($0.key) }
        let sample = driver.schema.sample(indent: 4, live: known, isShort: true).split(separator: "\n")
        return ["  # All settings: muster drivers \(driver.manifest.id)", "  settings:"] + sample.map { String($0) }
    }
}
