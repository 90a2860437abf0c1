public import DeviceKit

/// The file that `muster init` writes: it loads as it stands, shows what matters, and explains the rest.
public enum StarterConfiguration {
    /// - Parameters:
    ///   - timeZone: the zone of this machine, as a first guess.
    ///   - start: the local time at which the simulated terminal's log begins, so that it is not a week long.
    public static func text(
        drivers: DriverRegistry, sinks: SinkRegistry, timeZone: DeviceTimeZone, start: LocalDateTime
    ) -> String {
        let hasFile = sinks["file"] != nil
        return [
            head(timeZone), hasFile ? fileSink : nil, devices(drivers, start: start, sinks: hasFile ? ["audit"] : []),
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
        \(ConfigurationKeys.Schedule.schema.sample(indent: 4))
          lifecycle:
        \(ConfigurationKeys.Lifecycle.schema.sample(indent: 4))

        """
    }

    private static let fileSink = """
        # Places that punches are delivered to, besides the journal.
        sinks:
          audit:
            type: file
            path: "audit/{device}-{date}.jsonl"

        """

    private static func devices(_ drivers: DriverRegistry, start: LocalDateTime, sinks: [String]) -> String {
        var lines = ["# The names are yours: letters, digits, hyphens.", "devices:"]
        if let simulator = drivers["simulator"] {
            let live = ["rate": "12/min", "start": "\"\(start)\""].filter { simulator.schema.keys.contains($0.key) }
            lines += ["  # A terminal that is not there, to look around. Delete it when the first real one works."]
            lines += ["  lobby:", "    name: Simulated lobby", "    driver: simulator", "    settings:"]
            lines += [simulator.schema.sample(indent: 6, live: live)]
            if !sinks.isEmpty { lines += ["    sinks: [\(sinks.joined(separator: ", "))]"] }
        }
        if let zkteco = drivers["zkteco"] {
            lines += ["", "  # A ZKTeco terminal: take away the first \"# \" of these lines and write its address."]
            let device =
                ["front-door:", "  name: Main entrance", "  location: Building A", "  driver: zkteco", "  settings:"]
                + zkteco.schema.sample(indent: 4).split(separator: "\n").map { String($0) }
            lines += device.map { "  # \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
