public import Alerts
import DeviceKit

/// What `muster drivers` shows.
public enum DriverDocumentation {
    /// Name, version, intake, abilities and settings of one driver, as text for a terminal.
    public static func text(_ driver: DriverRegistration) -> String {
        let manifest = driver.manifest
        let intakes = manifest.intakes.map(\.rawValue).sorted().joined(separator: ", ")
        let capabilities = manifest.capabilities.map(\.rawValue).sorted().joined(separator: ", ")
        return """
            \(manifest.id) \(manifest.version)
            \(manifest.summary)

            Intake:        \(intakes)
            Capabilities:  \(capabilities.isEmpty ? "none besides" : capabilities)

            Settings
            \(settings(driver.schema))

            Sample
              \(manifest.id)-1:
                driver: \(manifest.id)
                settings:
            \(driver.schema.sample(indent: 6))

            """
    }

    /// Name and settings of one type of sink.
    public static func text(_ sink: SinkRegistration) -> String {
        """
        \(sink.manifest.id)
        \(sink.manifest.summary)

        Settings
        \(settings(sink.schema))

        Settings of every sink
        \(settings(ConfigurationKeys.Sink.common))

        """
    }

    /// Name and settings of one type of channel.
    public static func text(_ channel: ChannelRegistration) -> String {
        """
        \(channel.manifest.id), for alerts
        \(channel.manifest.summary)

        Settings
        \(settings(channel.schema))

        Settings of every channel
        \(settings(AlertKeys.Channel.common))

        """
    }

    /// Name, summary, intake and capabilities of each driver, for a table.
    public static func rows(_ drivers: DriverRegistry) -> [[String]] {
        drivers.registrations.map(\.manifest).map { manifest in
            [
                manifest.id, manifest.summary, manifest.intakes.map(\.rawValue).sorted().joined(separator: ", "),
                manifest.capabilities.map(\.rawValue).sorted().joined(separator: ", "),
            ]
        }
    }

    /// Key, type and default in one line, the meaning under it: it fits a narrow window.
    private static func settings(_ schema: SettingsSchema) -> String {
        if schema.settings.isEmpty { return "  none" }
        return schema.documentationRows.map { row in
            let absence = row[2] == "required" ? "required" : "default \(row[2])"
            return "  \(row[0])  (\(row[1]); \(absence))\n      \(row[3])"
        }.joined(separator: "\n")
    }
}
