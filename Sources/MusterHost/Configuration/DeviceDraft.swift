import DeviceKit

/// What devices inherit.
struct DeviceDefaults {
    var sinks: [String] = []
    var schedule: SettingsValues?
    var clock: SettingsValues?
    var lifecycle: SettingsValues?
}

/// A device as far as it could be read; the checks between devices look at faulty ones too.
struct DeviceDraft {
    let name: String
    /// Of its key.
    let mark: SourceMark
    /// Its own keys.
    let values: SettingsValues?
    let driver: DriverRegistration?
    let settings: SettingsValues?
    let sinks: [String]
    /// `nil` when something of it is wrong.
    let device: HostConfiguration.Device?
}

extension ConfigurationAssembler {
    /// `nil` when the entry is no mapping.
    mutating func readDevice(_ member: ConfigurationNode.Member) -> DeviceDraft? {
        typealias Keys = ConfigurationKeys.Device
        guard let members = members(of: member.node) else { return nil }
        let section = ConfigurationNode(member.node.value, at: member.keyMark, path: member.node.path)
        let values = Keys.schema.decode(members, of: section, otherKeys: Keys.sections, reportingTo: &report)
        let driver = registration(members)
        let settings = driver.flatMap { readSettings($0, members, owner: section) }
        let sinks = sinkReferences(members, Keys.sinks, fallback: defaults.sinks)
        let schedule = readSchedule(self.section(Keys.schedule, in: members), of: member.key)
        let clock = readClock(self.section(Keys.clock, in: members))
        let site = siteReference(members)
        let lifecycle = readLifecycle(self.section(Keys.lifecycle, in: members))
        var device: HostConfiguration.Device?
        if let values, let driver, let settings, let schedule, let clock, let lifecycle {
            device = makeDevice(member.key, values, driver, settings, schedule, lifecycle, sinks)
            device?.clock = clock
            device?.site = site
        }
        return DeviceDraft(
            name: member.key, mark: member.keyMark, values: values, driver: driver, settings: settings, sinks: sinks,
            device: device)
    }

    private mutating func makeDevice(
        _ name: String, _ values: SettingsValues, _ driver: DriverRegistration, _ settings: SettingsValues,
        _ schedule: HostConfiguration.Schedule, _ lifecycle: LifecycleTimers, _ sinks: [String]
    ) -> HostConfiguration.Device? {
        typealias Keys = ConfigurationKeys.Device
        guard let id = DeviceID(name) else { return nil }
        do throws(ConfigurationError) {
            return HostConfiguration.Device(
                id: id, name: try values.value(Keys.name) ?? name, location: try values.value(Keys.location),
                zone: try values.value(Keys.timezone) ?? zone ?? .utc, driver: driver, settings: settings,
                schedule: schedule, lifecycle: lifecycle, sinks: sinks, isEnabled: try values.value(Keys.enabled),
                directionPolicy: try values.value(Keys.direction), dayBegins: try values.value(Keys.dayBegins))
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    /// The driver that a device names, even when its other keys are wrong. A missing name is reported with those.
    private mutating func registration(_ members: [ConfigurationNode.Member]) -> DriverRegistration? {
        guard let node = section(ConfigurationKeys.Device.driver.key, in: members)?.node,
            let name = try? ConfigurationKeys.Device.driver.type.read(node)
        else { return nil }
        if let registration = drivers[name] { return registration }
        reportUnknown(name, "driver", at: node, known: drivers.names)
        return nil
    }

    private mutating func readSettings(
        _ driver: DriverRegistration, _ members: [ConfigurationNode.Member], owner: ConfigurationNode
    ) -> SettingsValues? {
        let key = ConfigurationKeys.Device.settings
        let member = section(key, in: members)
        let path = ConfigurationNode.childPath(owner.path, key: key)
        let node = member?.node ?? ConfigurationNode(.null, at: owner.mark, path: path)
        guard let values = driver.schema.decode(node, owner: member?.keyMark, reportingTo: &report),
            accept({ () throws(ConfigurationError) in try driver.check(values) })
        else { return nil }
        return values
    }

    private mutating func readSchedule(
        _ member: ConfigurationNode.Member?, of device: String
    ) -> HostConfiguration.Schedule? {
        typealias Keys = ConfigurationKeys.Schedule
        var own: SettingsValues?
        if let member {
            own = Keys.schema.decode(member.node, owner: member.keyMark, reportingTo: &report)
            guard let own, agrees(own) else { return nil }
        }
        guard let values = layered(Keys.schema, defaults.schedule, own) else { return nil }
        do throws(ConfigurationError) {
            let isEvery = Self.isNearer(Keys.every.key, than: Keys.poll.key, own, defaults.schedule)
            let interval = isEvery ? try values.value(Keys.every) : nil
            let cron = try values.value(Keys.poll)
            let rhythm = interval.map { PollSchedule.Rhythm.every($0) } ?? .cron(cron)
            let isOffset = Self.isNearer(Keys.offset.key, than: Keys.jitter.key, own, defaults.schedule)
            let offset = isOffset ? try values.value(Keys.offset) : nil
            let jitter = try values.value(Keys.jitter)
            let shift = offset ?? DeviceID(device).map { PollSchedule.spread($0, over: jitter) } ?? .zero
            return HostConfiguration.Schedule(
                poll: PollSchedule(rhythm, between: try values.value(Keys.between), shift: shift),
                window: try values.value(Keys.window), isCapturing: try values.value(Keys.capture),
                zone: try values.value(Keys.timezone))
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    /// Of two keys that stand for one another: the device's own is nearer than that of the defaults.
    private static func isNearer(
        _ key: String, than other: String, _ own: SettingsValues?, _ defaults: SettingsValues?
    ) -> Bool {
        for values in [own, defaults] {
            if values?.isGiven(key) == true { return true }
            if values?.isGiven(other) == true { return false }
        }
        return false
    }

    /// Reports keys of which one stands in place of the other.
    mutating func agrees(_ values: SettingsValues) -> Bool {
        typealias Keys = ConfigurationKeys.Schedule
        var isSound = true
        for (one, other) in [(Keys.every.key, Keys.poll.key), (Keys.offset.key, Keys.jitter.key)]
        where values.isGiven(one) && values.isGiven(other) {
            report += values.error(one, "\(one) stands in place of \(other): only one of them can be given").diagnostics
            isSound = false
        }
        return isSound
    }

    private mutating func readClock(_ member: ConfigurationNode.Member?) -> ClockPlan? {
        typealias Keys = ConfigurationKeys.Clock
        guard let values = layered(Keys.schema, defaults.clock, member) else { return nil }
        do throws(ConfigurationError) {
            return ClockPlan(sync: try values.value(Keys.sync), maxDrift: try values.value(Keys.maxDrift))
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    /// The site that a device names; an unknown one is reported where it stands.
    private mutating func siteReference(_ members: [ConfigurationNode.Member]) -> String? {
        let setting = ConfigurationKeys.Device.site
        guard let node = section(setting.key, in: members)?.node, let name = try? setting.type.read(node) else {
            return nil
        }
        let known = siteMarks.map(\.name)
        guard known.contains(name) else {
            reportUnknown(name, "site", at: node, known: known)
            return nil
        }
        return name
    }

    private mutating func readLifecycle(_ member: ConfigurationNode.Member?) -> LifecycleTimers? {
        guard let values = layered(ConfigurationKeys.Lifecycle.schema, defaults.lifecycle, member) else { return nil }
        return timers(values)
    }

    /// The product's defaults, over them the configuration's, over them the device's.
    private mutating func layered(
        _ schema: SettingsSchema, _ defaults: SettingsValues?, _ member: ConfigurationNode.Member?
    ) -> SettingsValues? {
        var own: SettingsValues?
        if let member {
            own = schema.decode(member.node, owner: member.keyMark, reportingTo: &report)
            guard own != nil else { return nil }
        }
        return layered(schema, defaults, own)
    }

    private func layered(
        _ schema: SettingsSchema, _ defaults: SettingsValues?, _ own: SettingsValues?
    ) -> SettingsValues? {
        guard let standard = try? schema.values() else { return nil }
        return standard.overlaid(with: defaults).overlaid(with: own)
    }

    /// `nil`, and a report, when the values contradict each other.
    mutating func timers(_ values: SettingsValues) -> LifecycleTimers? {
        typealias Keys = ConfigurationKeys.Lifecycle
        do throws(ConfigurationError) {
            var timers = LifecycleTimers()
            timers.reconnectBase = try values.value(Keys.reconnectBase)
            timers.reconnectCeiling = try values.value(Keys.reconnectCeiling)
            timers.blockedRetry = try values.value(Keys.blockedRetry)
            timers.alertAfter = try values.value(Keys.alertAfter)
            timers.suspendAfter = try values.value(Keys.suspendAfter)
            timers.stableAfter = try values.value(Keys.stableAfter)
            timers.openTimeout = try values.value(Keys.openTimeout)
            timers.keepAliveTimeout = try values.value(Keys.keepAliveTimeout)
            timers.heldRetry = try values.value(Keys.heldRetry)
            timers.keepAliveIdle = try values.value(Keys.keepAliveIdle)
            timers.identityRefresh = try values.value(Keys.identityRefresh)
            timers.pollRetries = try values.value(Keys.pollRetries)
            guard timers.reconnectBase <= timers.reconnectCeiling else {
                let key = values.isGiven(Keys.reconnectCeiling.key) ? Keys.reconnectCeiling.key : Keys.reconnectBase.key
                throw values.error(
                    key,
                    "reconnect_ceiling (\(DurationText.format(timers.reconnectCeiling))) is shorter than "
                        + "reconnect_base (\(DurationText.format(timers.reconnectBase)))")
            }
            return timers
        } catch {
            report += error.diagnostics
            return nil
        }
    }
}
