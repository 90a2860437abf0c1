import DeviceKit

// The sections of a file.
extension ConfigurationAssembler {
    mutating func readHTTP(_ members: [ConfigurationNode.Member]) -> HostConfiguration.HTTP? {
        typealias Keys = ConfigurationKeys.HTTP
        let member = section(ConfigurationKeys.Root.http, in: members)
        let node = member?.node ?? ConfigurationNode(.null, at: rootMark, path: ConfigurationKeys.Root.http)
        guard let values = Keys.schema.decode(node, owner: member?.keyMark, reportingTo: &report),
            let listen = try? values.value(Keys.listen)
        else { return nil }
        return HostConfiguration.HTTP(listen: listen)
    }

    mutating func readDefaults(_ member: ConfigurationNode.Member) {
        typealias Keys = ConfigurationKeys.Defaults
        guard let members = members(of: member.node) else { return }
        _ = Keys.schema.decode(members, of: member.node, otherKeys: Keys.sections, reportingTo: &report)
        defaults.sinks = sinkReferences(members, Keys.sinks, fallback: [])
        if let schedule = section(Keys.schedule, in: members) {
            defaults.schedule = ConfigurationKeys.Schedule.schema.decode(
                schedule.node, owner: schedule.keyMark, reportingTo: &report)
        }
        if let lifecycle = section(Keys.lifecycle, in: members) {
            defaults.lifecycle = ConfigurationKeys.Lifecycle.schema.decode(
                lifecycle.node, owner: lifecycle.keyMark, reportingTo: &report)
            // A conflict in the defaults is told where it stands, not for each device.
            if let values = defaults.lifecycle, timers(values) == nil { defaults.lifecycle = nil }
        }
    }

    mutating func readSinks(_ section: ConfigurationNode.Member?) {
        guard let section, let members = members(of: section.node) else { return }
        for member in members {
            sinkMarks.append((member.key, member.keyMark))
            guard isName(member, "sink"), let own = self.members(of: member.node) else { continue }
            if let sink = readSink(member, own) { sinks.append(sink) }
        }
    }

    mutating func readSink(
        _ member: ConfigurationNode.Member, _ own: [ConfigurationNode.Member]
    ) -> HostConfiguration.Sink? {
        let type = ConfigurationKeys.Sink.type
        let section = ConfigurationNode(member.node.value, at: member.keyMark, path: member.node.path)
        let typeMembers = own.filter { $0.key == type.key }
        guard
            let values = SettingsSchema(type).decode(typeMembers, of: section, reportingTo: &report),
            let name = try? values.value(type)
        else { return nil }
        guard let registration = sinkTypes[name] else {
            reportUnknown(name, "sink type", at: values.node(type.key) ?? section, known: sinkTypes.names)
            return nil
        }
        let settings = registration.schema.decode(
            own.filter { $0.key != type.key }, of: section, otherKeys: [type.key], reportingTo: &report)
        guard let settings, accept({ () throws(ConfigurationError) in try registration.check(settings) }) else {
            return nil
        }
        return HostConfiguration.Sink(name: member.key, registration: registration, settings: settings)
    }

    mutating func readDevices(_ section: ConfigurationNode.Member?) {
        guard let section, let members = members(of: section.node) else { return }
        for member in members {
            if let known = deviceMarks[member.key] {
                report.append(
                    Diagnostic(
                        code: "duplicate-key", at: member.keyMark, path: member.node.path,
                        "the device is configured twice, first at \(known)", hint: "delete one of the two"))
                continue
            }
            deviceMarks[member.key] = member.keyMark
            guard isName(member, "device"), let draft = readDevice(member) else { continue }
            devices.append(draft)
        }
    }
}
