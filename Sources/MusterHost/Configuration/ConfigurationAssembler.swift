import Alerts
import DeviceKit

/// Turns trees into a configuration. Collects problems instead of stopping at the first.
struct ConfigurationAssembler {
    struct Include {
        let path: String
        let node: ConfigurationNode
    }

    /// What the main file says besides devices.
    struct Root {
        var data: String
        var http: HostConfiguration.HTTP
        var log: HostConfiguration.Log
        var journal: HostConfiguration.Journal
        var alerts: AlertConfiguration
    }

    let drivers: DriverRegistry
    let sinkTypes: SinkRegistry
    let channelTypes: ChannelRegistry
    var report: [Diagnostic] = []
    private(set) var includes: [Include] = []
    var sites: [HostConfiguration.Site] = []
    /// Names under `sites:`, faulty ones too.
    var siteMarks: [(name: String, mark: SourceMark)] = []
    var sinks: [HostConfiguration.Sink] = []
    /// Names under `sinks:`, faulty ones too: a device may refer to them without a second message.
    var sinkMarks: [(name: String, mark: SourceMark)] = []
    /// Lists of devices that sinks name, to be checked when all devices are read.
    var sinkDeviceNodes: [ConfigurationNode] = []
    var devices: [DeviceDraft] = []
    /// Where each name under `devices:` was first used, by faulty entries too.
    var deviceMarks: [String: SourceMark] = [:]
    var zone: DeviceTimeZone?
    private var isZoneMissing = false
    var defaults = DeviceDefaults()
    private(set) var rootMark = SourceMark(file: "")

    init(drivers: DriverRegistry, sinks: SinkRegistry, channels: ChannelRegistry) {
        self.drivers = drivers
        sinkTypes = sinks
        channelTypes = channels
    }

    /// Reads the main file; `nil` when it is no mapping or its own keys are wrong.
    mutating func readRoot(_ root: ConfigurationNode) -> Root? {
        typealias Keys = ConfigurationKeys.Root
        rootMark = root.mark
        guard let members = members(of: root) else { return nil }
        let values = Keys.schema.decode(members, of: root, otherKeys: Keys.sections, reportingTo: &report)
        includes = includes(members)
        let http = readHTTP(members)
        let log = readLog(members)
        let journal = readJournal(members)
        readSites(section(Keys.sites, in: members))
        readSinks(section(Keys.sinks, in: members))
        do throws(ConfigurationError) {
            if let values {
                zone = try values.value(Keys.timezone)
                isZoneMissing = zone == nil
            }
            let alerts = readAlerts(members, zone: zone)
            if let defaults = section(Keys.defaults, in: members) { readDefaults(defaults) }
            readDevices(section(Keys.devices, in: members))
            guard let values, let http, let log, let journal else { return nil }
            return Root(data: try values.value(Keys.data), http: http, log: log, journal: journal, alerts: alerts)
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    /// Reads included files: each holds devices and nothing else.
    mutating func add(_ roots: [ConfigurationNode]) {
        for root in roots {
            guard let members = members(of: root) else { continue }
            for member in members where member.key != ConfigurationKeys.Root.devices {
                report.append(
                    Diagnostic(
                        code: "unknown-key", at: member.keyMark, path: member.node.path,
                        "does not belong in an included file",
                        hint: NearestName.hint(for: member.key, among: [ConfigurationKeys.Root.devices])
                            ?? "an included file holds devices:; everything else stands in the main file"))
            }
            readDevices(section(ConfigurationKeys.Root.devices, in: members))
        }
    }

    /// Checks what concerns several devices. Call it when all files are read.
    /// - Parameter isSound: no file had an error. Otherwise the warnings about the whole are left out: what they warn of
    ///   may well be a consequence of an error.
    mutating func checkTogether(isSound: Bool) {
        report += ConflictChecks.sharedAddresses(devices)
        checkSinkDevices()
        guard isSound, !report.contains(where: { $0.severity == .error }) else { return }
        report += ConflictChecks.unusedSinks(sinkMarks, devices: devices)
        if deviceMarks.isEmpty {
            report.append(Diagnostic(.warning, code: "no-devices", at: rootMark, path: "", "no devices are configured"))
        }
        let lacksZone = devices.first { $0.values.map { !$0.isGiven(ConfigurationKeys.Device.timezone.key) } ?? false }
        if isZoneMissing, let lacksZone {
            report.append(
                Diagnostic(
                    .warning, code: "no-zone", at: lacksZone.mark, path: "devices.\(lacksZone.name)",
                    "no time zone is set: the clock of the device is read as UTC",
                    hint: "write timezone: Region/City at the top of \(rootMark.file)"))
        }
    }

    /// A sink that names a device which does not exist would wait for its punches in vain.
    private mutating func checkSinkDevices() {
        for list in sinkDeviceNodes {
            guard case .sequence(let nodes) = list.value else { continue }
            for node in nodes {
                guard case .scalar(let scalar) = node.value, deviceMarks[scalar.text] == nil else { continue }
                reportUnknown(scalar.text, "device", at: node, known: deviceMarks.keys.sorted())
            }
        }
    }

    func configuration(_ root: Root, files: [String]) -> HostConfiguration {
        let directory = ConfigurationPath.directory(of: rootMark.file)
        var configuration = HostConfiguration(
            dataDirectory: ConfigurationPath.resolve(root.data, from: directory),
            baseDirectory: directory.isEmpty ? "." : directory, http: root.http, log: root.log, journal: root.journal,
            alerts: root.alerts, sinks: sinks,
            devices: devices.compactMap(\.device), files: files)
        configuration.sites = sites
        return configuration
    }
}

// What sections share.
extension ConfigurationAssembler {
    /// Patterns of `include:`, even when another key of the file is wrong.
    private func includes(_ members: [ConfigurationNode.Member]) -> [Include] {
        let setting = ConfigurationKeys.Root.include
        guard let node = section(setting.key, in: members)?.node, let paths = try? setting.type.read(node) else {
            return []
        }
        if case .sequence(let nodes) = node.value {
            return zip(paths, nodes).map { Include(path: $0, node: $1) }
        }
        return paths.map { Include(path: $0, node: node) }
    }

    func section(_ key: String, in members: [ConfigurationNode.Member]) -> ConfigurationNode.Member? {
        members.first { $0.key == key }
    }

    mutating func members(of node: ConfigurationNode) -> [ConfigurationNode.Member]? {
        do throws(ConfigurationError) {
            return try node.members()
        } catch {
            report += error.diagnostics
            return nil
        }
    }

    /// Names of devices and sinks end up in file names and URLs.
    mutating func isName(_ member: ConfigurationNode.Member, _ what: String) -> Bool {
        guard DeviceID(member.key) == nil else { return true }
        report.append(
            Diagnostic(
                code: "wrong-name", at: member.keyMark, path: member.node.path.shortened,
                "'\(member.key.shortened)' cannot name a \(what)",
                hint: "use 1 to 64 letters, digits, '-', '_' and '.', beginning with a letter or a digit"))
        return false
    }

    mutating func reportUnknown(_ name: String, _ what: String, at node: ConfigurationNode, known: [String]) {
        let all = known.isEmpty ? "none are known" : "known: \(known.joined(separator: ", "))"
        report.append(
            Diagnostic(
                code: "unknown-name", at: node.mark, path: node.path, "there is no \(what) '\(name.shortened)'",
                hint: NearestName.hint(for: name, among: known) ?? all))
    }

    /// Runs a check and keeps what it reports.
    mutating func accept(_ check: () throws(ConfigurationError) -> Void) -> Bool {
        do throws(ConfigurationError) {
            try check()
            return true
        } catch {
            report += error.diagnostics
            return false
        }
    }

    /// Names of sinks in the order of the file, each once; unknown ones are reported where they stand. A list that
    /// cannot be read is reported with the other keys.
    mutating func sinkReferences(
        _ members: [ConfigurationNode.Member], _ setting: Setting<[String]>, fallback: [String]
    ) -> [String] {
        guard let node = section(setting.key, in: members)?.node, case .sequence(let nodes) = node.value,
            let names = try? setting.type.read(node)
        else { return fallback }
        let known = sinkMarks.map(\.name)
        var found: [String] = []
        for (name, node) in zip(names, nodes) {
            guard known.contains(name) else {
                reportUnknown(name, "sink", at: node, known: known)
                continue
            }
            if !found.contains(name) { found.append(name) }
        }
        return found
    }
}
