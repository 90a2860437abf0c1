public import DeviceKit

/// One driver as the host knows it: its type is erased, its settings are still checked by its own code.
public struct DriverRegistration: Sendable {
    public let manifest: DriverManifest
    private let readSchema: @Sendable () -> SettingsSchema
    private let checkSettings: @Sendable (SettingsValues) throws(ConfigurationError) -> Void
    private let makeDriver: @Sendable (SettingsValues, DriverContext) throws(DeviceFault) -> any DeviceDriver
    /// `nil` for a driver whose devices cannot be found by asking at addresses.
    let discovery: Discovery?

    /// How devices of the driver are found.
    struct Discovery: Sendable {
        let endpoints: [DiscoveryEndpoint]
        let settings: @Sendable (Endpoint) -> [String: String]
        let timeoutKey: String?
        let credentialsKey: String?

        init(_ driver: (some Discovering).Type) {
            endpoints = driver.usualEndpoints
            settings = { driver.settings(for: $0) }
            timeoutKey = driver.timeoutKey
            credentialsKey = driver.credentialsKey
        }
    }

    /// Whether devices of the driver can be found by asking at addresses.
    public var isDiscovering: Bool { discovery != nil }

    public init<Driver: DeviceDriver>(_ driver: Driver.Type) {
        manifest = Driver.manifest
        readSchema = { Driver.Settings.schema }
        discovery = (Driver.self as? any Discovering.Type).map { Discovery($0) }
        checkSettings = { values throws(ConfigurationError) in _ = try Driver.Settings(values) }
        makeDriver = { values, context throws(DeviceFault) in
            let settings: Driver.Settings
            do throws(ConfigurationError) {
                settings = try Driver.Settings(values)
            } catch {
                throw DeviceFault(.badSettings, error.diagnostics.map(\.message).joined(separator: "; "))
            }
            return try Driver(settings: settings, context: context)
        }
    }

    /// Made when it is asked for: a start pays for the kinds that its configuration names.
    public var schema: SettingsSchema { readSchema() }

    /// The driver's own rules between keys.
    public func check(_ settings: SettingsValues) throws(ConfigurationError) { try checkSettings(settings) }

    /// Pure: nothing is opened.
    /// - Parameter settings: values that ``schema`` decoded.
    public func make(_ settings: SettingsValues, context: DriverContext) throws(DeviceFault) -> any DeviceDriver {
        try makeDriver(settings, context)
    }
}

/// The drivers that a configuration may name, filled explicitly at start.
public struct DriverRegistry: Sendable {
    /// In the order of their names.
    public let registrations: [DriverRegistration]

    /// - Precondition: no two drivers share a name.
    public init(_ registrations: [DriverRegistration]) {
        precondition(Set(registrations.map(\.manifest.id)).count == registrations.count, "two drivers share a name")
        self.registrations = registrations.sorted { $0.manifest.id < $1.manifest.id }
    }

    public var names: [String] { registrations.map(\.manifest.id) }

    public subscript(name: String) -> DriverRegistration? { registrations.first { $0.manifest.id == name } }
}
