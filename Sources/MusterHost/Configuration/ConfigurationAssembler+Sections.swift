import DeviceKit

// The sections of a file.
extension ConfigurationAssembler {
    mutating func readHTTP(_ members: [ConfigurationNode.Member]) -> HostConfiguration.HTTP? {
        typealias Keys = ConfigurationKeys.HTTP
        let member = section(ConfigurationKeys.Root.http, in: members)
        let node = member?.node ?? ConfigurationNode(.null, at: rootMark, path: ConfigurationKeys.Root.http)
        guard let values = Keys.schema.decode(node, owner: member?.keyMark, reportingTo: &report) else { return nil }
        do throws(ConfigurationError) {
            let http = HostConfiguration.HTTP(
                isEnabled: try values.value(Keys.enabled), listen: try values.value(Keys.listen),
                tokens: try values.value(Keys.tokens))
            if http.isEnabled, !http.listen.isLoopback, http.tokens.isEmpty {
                throw values.error(
                    Keys.listen.key, "other machines can reach \(http.listen), and there are no tokens",
                    code: "open-to-all",
                    hint: "make a token with muster token new and write it under tokens:, or listen on 127.0.0.1")
            }
            return http
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    mutating func readLog(_ members: [ConfigurationNode.Member]) -> HostConfiguration.Log? {
        typealias Keys = ConfigurationKeys.Log
        let member = section(ConfigurationKeys.Root.log, in: members)
        let node = member?.node ?? ConfigurationNode(.null, at: rootMark, path: ConfigurationKeys.Root.log)
        guard let values = Keys.schema.decode(node, owner: member?.keyMark, reportingTo: &report) else { return nil }
        do throws(ConfigurationError) {
            return HostConfiguration.Log(format: try values.value(Keys.format), level: try values.value(Keys.level))
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    mutating func readJournal(_ members: [ConfigurationNode.Member]) -> HostConfiguration.Journal? {
        typealias Keys = ConfigurationKeys.Journal
        let member = section(ConfigurationKeys.Root.journal, in: members)
        let node = member?.node ?? ConfigurationNode(.null, at: rootMark, path: ConfigurationKeys.Root.journal)
        guard let values = Keys.schema.decode(node, owner: member?.keyMark, reportingTo: &report) else { return nil }
        do throws(ConfigurationError) {
            let journal = HostConfiguration.Journal(
                keep: try values.value(Keys.keep), quota: try values.value(Keys.quota),
                whenFull: try values.value(Keys.whenFull))
            if journal.quota == nil, values.isGiven(Keys.whenFull.key) {
                throw values.error(Keys.whenFull.key, "there is no quota that could be full", hint: "add quota: 2GB")
            }
            return journal
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    mutating func readDefaults(_ member: ConfigurationNode.Member) {
        typealias Keys = ConfigurationKeys.Defaults
        guard let members = members(of: member.node) else { return }
        _ = Keys.schema.decode(members, of: member.node, otherKeys: Keys.sections, reportingTo: &report)
        defaults.sinks = sinkReferences(members, Keys.sinks, fallback: [])
        if let schedule = section(Keys.schedule, in: members) {
            defaults.schedule = ConfigurationKeys.Schedule.schema.decode(
                schedule.node, owner: schedule.keyMark, reportingTo: &report)
            if let values = defaults.schedule, !agrees(values) { defaults.schedule = nil }
        }
        if let clock = section(Keys.clock, in: members) {
            defaults.clock = ConfigurationKeys.Clock.schema.decode(
                clock.node, owner: clock.keyMark, reportingTo: &report)
        }
        if let lifecycle = section(Keys.lifecycle, in: members) {
            defaults.lifecycle = ConfigurationKeys.Lifecycle.schema.decode(
                lifecycle.node, owner: lifecycle.keyMark, reportingTo: &report)
            // A conflict in the defaults is told where it stands, not for each device.
            if let values = defaults.lifecycle, timers(values) == nil { defaults.lifecycle = nil }
        }
    }

    mutating func readSites(_ section: ConfigurationNode.Member?) {
        typealias Keys = ConfigurationKeys.Site
        guard let section, let members = members(of: section.node) else { return }
        for member in members {
            siteMarks.append((member.key, member.keyMark))
            guard isName(member, "site"),
                let values = Keys.schema.decode(member.node, owner: member.keyMark, reportingTo: &report),
                let concurrency = try? values.value(Keys.concurrency)
            else { continue }
            sites.append(HostConfiguration.Site(name: member.key, concurrency: concurrency))
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
        let common = ConfigurationKeys.Sink.common
        let settings = registration.schema.decode(
            own.filter { $0.key != type.key && !common.keys.contains($0.key) }, of: section,
            otherKeys: [type.key] + common.keys, reportingTo: &report)
        let shared = common.decode(
            own.filter { common.keys.contains($0.key) }, of: section, reportingTo: &report)
        guard let settings, let shared,
            accept({ () throws(ConfigurationError) in try registration.check(settings) })
        else { return nil }
        return makeSink(member.key, registration, settings, shared)
    }

    private mutating func makeSink(
        _ name: String, _ registration: SinkRegistration, _ settings: SettingsValues, _ shared: SettingsValues
    ) -> HostConfiguration.Sink? {
        typealias Keys = ConfigurationKeys.Sink
        do throws(ConfigurationError) {
            var sink = HostConfiguration.Sink(name: name, registration: registration, settings: settings)
            if shared.isGiven(Keys.devices.key) {
                sink.devices = Set(try shared.value(Keys.devices))
                if let node = shared.node(Keys.devices.key) { sinkDeviceNodes.append(node) }
            }
            if shared.isGiven(Keys.directions.key) { sink.directions = Set(try shared.value(Keys.directions)) }
            sink.includesInvalid = !(try shared.value(Keys.validOnly))
            sink.directionPolicy = try shared.value(Keys.direction)
            sink.retryBase = try shared.value(Keys.retryBase)
            sink.retryCeiling = try shared.value(Keys.retryCeiling)
            guard sink.retryBase <= sink.retryCeiling else {
                let key = shared.isGiven(Keys.retryCeiling.key) ? Keys.retryCeiling.key : Keys.retryBase.key
                throw shared.error(
                    key,
                    "retry_ceiling (\(DurationText.format(sink.retryCeiling))) is shorter than "
                        + "retry_base (\(DurationText.format(sink.retryBase)))")
            }
            return sink
        } catch {
            report += error.diagnostics
            return nil
        }
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
