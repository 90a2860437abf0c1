public import Alerts
public import DeviceKit

/// What `alerts:` says, checked and complete.
public struct AlertConfiguration: Sendable {
    public struct Channel: Sendable {
        public var registration: ChannelRegistration
        public var settings: SettingsValues
        /// What holds for a channel of any type, its name among it.
        public var plan: ChannelPlan
    }

    /// An address that is asked as long as the host lives.
    public struct Deadman: Sendable, Hashable {
        public var url: Secret
        public var every: Duration
    }

    /// Rules, waits and steps; devices, sinks and channels are filled in by ``plan(for:)``.
    public var base = AlertPlan()
    /// In the order of the file.
    public var channels: [Channel] = []
    public var deadman: Deadman?
    /// How often disk, sinks and devices are looked at.
    public var lookEvery: Duration = .seconds(30)
    /// The types that the program knows.
    public var types: ChannelRegistry

    public init(types: ChannelRegistry = ChannelRegistry([])) { self.types = types }

    /// The channels, and the host's own log when none is configured.
    public var effectiveChannels: [Channel] {
        guard channels.isEmpty, let log = types["log"] else { return channels }
        guard let settings = try? log.schema.values() else { return [] }
        var plan = ChannelPlan(name: "log")
        // A log bears more than people do.
        plan.burst = 100
        return [Channel(registration: log, settings: settings, plan: plan)]
    }

    public subscript(channel name: String) -> Channel? { effectiveChannels.first { $0.plan.name == name } }

    /// Nothing that anybody would notice has changed.
    func isLike(_ other: AlertConfiguration) -> Bool {
        base == other.base && deadman == other.deadman && lookEvery == other.lookEvery && hasChannels(of: other)
    }

    func hasChannels(of other: AlertConfiguration) -> Bool {
        channels.count == other.channels.count
            && zip(channels, other.channels).allSatisfy { mine, theirs in
                mine.plan == theirs.plan && mine.registration.manifest == theirs.registration.manifest
                    && mine.settings == theirs.settings
            }
    }

    /// What the engine works by, for the devices and sinks of a configuration.
    func plan(for configuration: HostConfiguration) -> AlertPlan {
        var plan = base
        plan.channels = effectiveChannels.map(\.plan)
        plan.sinks = Set(configuration.sinks.map(\.name))
        plan.zone = configuration.devices.first?.zone ?? .utc
        for device in configuration.devices where device.isEnabled {
            plan.devices[device.id.name] = AlertPlan.DeviceFacts(
                name: device.name, site: device.alertSite, zone: device.zone)
        }
        return plan
    }
}

extension HostConfiguration.Device {
    /// What alerts of the device are grouped by; `nil` for a device without a place.
    public var alertSite: String? { site ?? location }
}
