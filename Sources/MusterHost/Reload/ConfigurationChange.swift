internal import DeviceKit

/// What a new configuration changes, device by device and sink by sink.
///
/// Places in the files do not count: a moved line changes nothing.
public struct ConfigurationChange: Sendable, Hashable {
    public enum Effect: Sendable, Hashable {
        case added
        case removed
        /// Stopped and begun anew, because of these keys.
        case restarted([String])
        /// Goes on undisturbed; these keys hold from now on.
        case adjusted([String])
    }

    public struct Item: Sendable, Hashable {
        /// The key under `devices:` or `sinks:`.
        public var name: String
        public var effect: Effect
    }

    /// In the order of the new configuration, then what is removed. What does not change is not named.
    public var devices: [Item]
    public var sinks: [Item]
    /// Keys of the whole that hold from now on.
    public var adjusted: [String] = []
    /// Keys that hold only after the host was restarted.
    public var needsRestart: [String] = []

    public var isEmpty: Bool { devices.isEmpty && sinks.isEmpty && adjusted.isEmpty && needsRestart.isEmpty }

    public init(from old: HostConfiguration, to new: HostConfiguration) {
        let isMoved = old.baseDirectory != new.baseDirectory
        devices = Self.items(old.devices, new.devices, name: \.id.name) { $0.effect(of: $1) }
        sinks = Self.items(old.sinks, new.sinks, name: \.name) { before, after in
            isMoved ? .restarted(["path"]) : before.effect(of: after, old: old, new: new)
        }
        if old.journal != new.journal { adjusted.append("journal") }
        if old.sites != new.sites { adjusted.append("sites") }
        if !old.alerts.isLike(new.alerts) { adjusted.append("alerts") }
        if old.dataDirectory != new.dataDirectory { needsRestart.append("data") }
        if old.http != new.http { needsRestart.append("http") }
        if old.log != new.log { needsRestart.append("log") }
    }

    /// - Parameter effect: `nil` for two that are alike.
    private static func items<Element>(
        _ old: [Element], _ new: [Element], name: (Element) -> String, effect: (Element, Element) -> Effect?
    ) -> [Item] {
        let before = Dictionary(old.map { (name($0), $0) }, uniquingKeysWith: { first, _ in first })
        let names = Set(new.map(name))
        let kept = new.compactMap { element -> Item? in
            guard let known = before[name(element)] else { return Item(name: name(element), effect: .added) }
            return effect(known, element).map { Item(name: name(element), effect: $0) }
        }
        return kept + old.filter { !names.contains(name($0)) }.map { Item(name: name($0), effect: .removed) }
    }

    /// Those that a session or a pump has to be made for.
    static func begun(_ items: [Item]) -> Set<String> {
        Set(
            items.compactMap { item in
                switch item.effect {
                case .added, .restarted: item.name
                case .removed, .adjusted: nil
                }
            })
    }

    /// Those whose session or pump has to end.
    static func ended(_ items: [Item]) -> Set<String> {
        Set(
            items.compactMap { item in
                switch item.effect {
                case .removed, .restarted: item.name
                case .added, .adjusted: nil
                }
            })
    }

    static func adjusted(_ items: [Item]) -> Set<String> {
        Set(
            items.compactMap { item in
                if case .adjusted = item.effect { item.name } else { nil }
            })
    }
}

extension HostConfiguration.Device {
    /// A field that is new in this type has to be compared here: in the first list when a session depends on it.
    func effect(of new: Self) -> ConfigurationChange.Effect? {
        let session: [(String, Bool)] = [
            ("driver", driver.manifest.id != new.driver.manifest.id), ("settings", settings != new.settings),
            ("timezone", zone != new.zone), ("schedule", schedule != new.schedule),
            ("clock", clock != new.clock), ("lifecycle", lifecycle != new.lifecycle),
            ("enabled", isEnabled != new.isEnabled),
        ]
        let description: [(String, Bool)] = [
            ("name", name != new.name), ("location", location != new.location), ("site", site != new.site),
            ("sinks", sinks != new.sinks),
            ("direction", directionPolicy != new.directionPolicy), ("day_begins", dayBegins != new.dayBegins),
        ]
        return .of(restarting: session, adjusting: description)
    }
}

extension HostConfiguration.Sink {
    /// A field that is new in this type has to be compared here: in the first list when the sink itself depends on it.
    func effect(
        of new: Self, old before: HostConfiguration, new after: HostConfiguration
    ) -> ConfigurationChange.Effect? {
        let sink: [(String, Bool)] = [
            ("type", registration.manifest.id != new.registration.manifest.id), ("settings", settings != new.settings),
        ]
        let (served, serves) = (before.devices(of: self), after.devices(of: new))
        let (had, has) = (
            DirectionRules(served, policy: directionPolicy).rules,
            DirectionRules(serves, policy: new.directionPolicy).rules
        )
        let pump: [(String, Bool)] = [
            ("devices", Set(served.map(\.id)) != Set(serves.map(\.id))),
            ("direction", has.contains { device, rule in had[device].map { $0 != rule } ?? false }),
            ("directions", directions != new.directions), ("valid_only", includesInvalid != new.includesInvalid),
            ("retry_base", retryBase != new.retryBase), ("retry_ceiling", retryCeiling != new.retryCeiling),
        ]
        return .of(restarting: sink, adjusting: pump)
    }
}

extension ConfigurationChange.Effect {
    static func of(restarting: [(String, Bool)], adjusting: [(String, Bool)]) -> Self? {
        func changed(_ keys: [(String, Bool)]) -> [String] { keys.filter(\.1).map(\.0) }
        let (hard, soft) = (changed(restarting), changed(adjusting))
        if !hard.isEmpty { return .restarted(hard + soft) }
        return soft.isEmpty ? nil : .adjusted(soft)
    }

    /// `added`, `removed`, `restarted`, `adjusted`.
    public var word: String {
        switch self {
        case .added: "added"
        case .removed: "removed"
        case .restarted: "restarted"
        case .adjusted: "adjusted"
        }
    }

    /// The keys that it is about.
    public var keys: [String] {
        switch self {
        case .added, .removed: []
        case .restarted(let keys), .adjusted(let keys): keys
        }
    }
}
