import Alerts
import DeviceKit

// The section `alerts:`.
extension ConfigurationAssembler {
    mutating func readAlerts(_ members: [ConfigurationNode.Member], zone: DeviceTimeZone?) -> AlertConfiguration {
        var alerts = AlertConfiguration(types: channelTypes)
        guard let section = section(ConfigurationKeys.Root.alerts, in: members),
            let own = self.members(of: section.node)
        else { return alerts }
        if let values = AlertKeys.schema.decode(
            own, of: section.node, otherKeys: AlertKeys.sections, reportingTo: &report)
        {
            alerts.base.groupWait = (try? values.value(AlertKeys.groupWait)) ?? alerts.base.groupWait
            alerts.base.groupInterval = (try? values.value(AlertKeys.groupInterval)) ?? alerts.base.groupInterval
            alerts.lookEvery = (try? values.value(AlertKeys.lookEvery)) ?? alerts.lookEvery
        }
        readRules(self.section(AlertKeys.rules, in: own), &alerts)
        readWaits(own, &alerts)
        readDeadman(self.section(AlertKeys.deadman, in: own), &alerts)
        let names = readChannels(self.section(AlertKeys.channels, in: own), zone, &alerts)
        readSteps(self.section(AlertKeys.escalation, in: own), channels: names, &alerts)
        return alerts
    }

    private mutating func readRules(_ section: ConfigurationNode.Member?, _ alerts: inout AlertConfiguration) {
        guard let section, let members = members(of: section.node) else { return }
        for member in members {
            guard let rule = AlertRule(rawValue: member.key) else {
                let known = AlertRule.allCases.map(\.rawValue).sorted()
                report.append(
                    Diagnostic(
                        code: "unknown-key", at: member.keyMark, path: member.node.path, "is not a known rule",
                        hint: NearestName.hint(for: member.key, among: known)
                            ?? "known rules: \(known.joined(separator: ", "))"))
                continue
            }
            let keys = RuleKeys(rule)
            guard let values = keys.schema.decode(member.node, owner: member.keyMark, reportingTo: &report) else {
                continue
            }
            var plan: RulePlan?
            guard accept({ () throws(ConfigurationError) in plan = try keys.plan(values) }), let plan else { continue }
            alerts.base.rules[rule] = plan
        }
    }

    private mutating func readWaits(_ members: [ConfigurationNode.Member], _ alerts: inout AlertConfiguration) {
        var base = alerts.base
        if let values = decode(AlertKeys.repeats, AlertKeys.Repeat.schema, members) {
            _ = accept { () throws(ConfigurationError) in
                base.repeats = [
                    .critical: try values.value(AlertKeys.Repeat.critical),
                    .warning: try values.value(AlertKeys.Repeat.warning),
                    .info: try values.value(AlertKeys.Repeat.info),
                ]
            }
        }
        if let values = decode(AlertKeys.siteLink, AlertKeys.SiteLink.schema, members) {
            _ = accept { () throws(ConfigurationError) in
                base.siteLink.devices = try values.value(AlertKeys.SiteLink.devices)
                base.siteLink.within = try values.value(AlertKeys.SiteLink.within)
                base.siteLink.settle = try values.value(AlertKeys.SiteLink.settle)
            }
        }
        if let values = decode(AlertKeys.flapping, AlertKeys.Flapping.schema, members) {
            _ = accept { () throws(ConfigurationError) in
                base.flapping.changes = try values.value(AlertKeys.Flapping.changes)
                base.flapping.within = try values.value(AlertKeys.Flapping.within)
                base.flapping.calm = try values.value(AlertKeys.Flapping.calm)
            }
        }
        alerts.base = base
    }

    private mutating func decode(
        _ key: String, _ schema: SettingsSchema, _ members: [ConfigurationNode.Member]
    ) -> SettingsValues? {
        guard let section = section(key, in: members) else { return nil }
        return schema.decode(section.node, owner: section.keyMark, reportingTo: &report)
    }

    private mutating func readDeadman(_ section: ConfigurationNode.Member?, _ alerts: inout AlertConfiguration) {
        typealias Keys = AlertKeys.Deadman
        guard let section,
            let values = Keys.schema.decode(section.node, owner: section.keyMark, reportingTo: &report)
        else { return }
        var deadman: AlertConfiguration.Deadman?
        _ = accept { () throws(ConfigurationError) in
            let url = try values.value(Keys.url)
            guard ["http://", "https://"].contains(where: { url.reveal().hasPrefix($0) }) else {
                throw values.error(
                    Keys.url.key, "is not a web address", code: "wrong-form", hint: "write it as https://host/path")
            }
            deadman = AlertConfiguration.Deadman(url: url, every: try values.value(Keys.every))
        }
        alerts.deadman = deadman
    }

    /// - Returns: all names of channels, faulty ones too.
    private mutating func readChannels(
        _ section: ConfigurationNode.Member?, _ zone: DeviceTimeZone?, _ alerts: inout AlertConfiguration
    ) -> [String] {
        guard let section, let members = members(of: section.node) else { return [] }
        let names = members.map(\.key)
        for member in members {
            guard isName(member, "channel"), let own = self.members(of: member.node),
                let channel = readChannel(member, own, zone, names)
            else { continue }
            alerts.channels.append(channel)
        }
        return names
    }

    private mutating func readChannel(
        _ member: ConfigurationNode.Member, _ own: [ConfigurationNode.Member], _ zone: DeviceTimeZone?,
        _ names: [String]
    ) -> AlertConfiguration.Channel? {
        typealias Keys = AlertKeys.Channel
        let section = ConfigurationNode(member.node.value, at: member.keyMark, path: member.node.path)
        let typeMembers = own.filter { $0.key == Keys.type.key }
        guard let typeValues = SettingsSchema(Keys.type).decode(typeMembers, of: section, reportingTo: &report),
            let type = try? typeValues.value(Keys.type)
        else { return nil }
        guard let registration = channelTypes[type] else {
            reportUnknown(
                type, "channel type", at: typeValues.node(Keys.type.key) ?? section, known: channelTypes.names)
            return nil
        }
        let common = Keys.common
        let settings = registration.schema.decode(
            own.filter { $0.key != Keys.type.key && !common.keys.contains($0.key) }, of: section,
            otherKeys: [Keys.type.key] + common.keys, reportingTo: &report)
        let shared = common.decode(own.filter { common.keys.contains($0.key) }, of: section, reportingTo: &report)
        guard let settings, let shared,
            accept({ () throws(ConfigurationError) in try registration.check(settings) })
        else { return nil }
        var plan = ChannelPlan(name: member.key)
        guard
            accept({ () throws(ConfigurationError) in
                plan.severity = try shared.value(Keys.severity)
                plan.quiet = try shared.value(Keys.quiet)
                plan.isQuietForCritical = !(try shared.value(Keys.breaksThrough))
                plan.zone = try shared.value(Keys.timezone) ?? zone ?? .utc
                plan.fallback = try shared.value(Keys.fallback)
                plan.burst = try shared.value(Keys.burst)
                plan.rate = try shared.value(Keys.rate)
                plan.retryBase = try shared.value(Keys.retryBase)
            })
        else { return nil }
        if let fallback = plan.fallback, fallback == member.key || !names.contains(fallback) {
            reportUnknown(
                fallback, "other channel", at: shared.node(Keys.fallback.key) ?? section,
                known: names.filter { $0 != member.key })
            return nil
        }
        return AlertConfiguration.Channel(registration: registration, settings: settings, plan: plan)
    }

    private mutating func readSteps(
        _ section: ConfigurationNode.Member?, channels: [String], _ alerts: inout AlertConfiguration
    ) {
        typealias Keys = AlertKeys.Step
        guard let section else { return }
        var nodes: [ConfigurationNode] = []
        guard accept({ () throws(ConfigurationError) in nodes = try section.node.elements() }) else { return }
        if nodes.count > Keys.mostSteps {
            report.append(
                Diagnostic(
                    code: "out-of-range", at: section.keyMark, path: section.node.path,
                    "has \(nodes.count) steps, \(Keys.mostSteps) are allowed"))
        }
        for node in nodes {
            guard let values = Keys.schema.decode(node, reportingTo: &report) else { continue }
            let known = check(values.node(Keys.channels.key), channels)
            _ = accept { () throws(ConfigurationError) in
                guard known else { return }
                alerts.base.steps.append(
                    EscalationStep(
                        after: try values.value(Keys.after), channels: try values.value(Keys.channels),
                        severity: try values.value(Keys.severity)))
            }
        }
    }

    /// Names of channels that do not exist are reported where they stand.
    private mutating func check(_ list: ConfigurationNode?, _ channels: [String]) -> Bool {
        guard let list, case .sequence(let nodes) = list.value else { return true }
        var isKnown = true
        for node in nodes {
            guard case .scalar(let scalar) = node.value, !channels.contains(scalar.text) else { continue }
            reportUnknown(scalar.text, "channel", at: node, known: channels)
            isKnown = false
        }
        return isKnown
    }
}
