public import DeviceKit

/// One type of channel as the host knows it.
public struct ChannelRegistration: Sendable {
    public let manifest: ChannelManifest
    private let readSchema: @Sendable () -> SettingsSchema
    private let checkSettings: @Sendable (SettingsValues) throws(ConfigurationError) -> Void
    private let makeChannel: @Sendable (SettingsValues, ChannelContext) throws(ChannelFault) -> any AlertChannel

    public init<Channel: AlertChannel>(_ channel: Channel.Type) {
        manifest = Channel.manifest
        readSchema = { Channel.Settings.schema }
        checkSettings = { values throws(ConfigurationError) in _ = try Channel.Settings(values) }
        makeChannel = { values, context throws(ChannelFault) in
            let settings: Channel.Settings
            do throws(ConfigurationError) {
                settings = try Channel.Settings(values)
            } catch {
                throw ChannelFault(.permanent, error.diagnostics.map(\.message).joined(separator: "; "))
            }
            return try Channel(settings: settings, context: context)
        }
    }

    /// Made when it is asked for: a start pays for the kinds that its configuration names.
    public var schema: SettingsSchema { readSchema() }

    /// The channel's own rules between keys.
    public func check(_ settings: SettingsValues) throws(ConfigurationError) { try checkSettings(settings) }

    /// Pure: nothing is opened.
    /// - Parameter settings: values that ``schema`` decoded.
    public func make(_ settings: SettingsValues, context: ChannelContext) throws(ChannelFault) -> any AlertChannel {
        try makeChannel(settings, context)
    }
}

/// The types of channels that a configuration may name, filled explicitly at start.
public struct ChannelRegistry: Sendable {
    /// In the order of their names.
    public let registrations: [ChannelRegistration]
    /// Asks a web address and looks at nothing but whether it answers well: the dead-man's switch.
    public let ping: @Sendable (_ url: String) async throws(ChannelFault) -> Void

    /// - Precondition: no two types share a name.
    public init(
        _ registrations: [ChannelRegistration],
        ping: @escaping @Sendable (_ url: String) async throws(ChannelFault) -> Void = { _ throws(ChannelFault) in }
    ) {
        precondition(Set(registrations.map(\.manifest.id)).count == registrations.count, "two channels share a name")
        self.registrations = registrations.sorted { $0.manifest.id < $1.manifest.id }
        self.ping = ping
    }

    public var names: [String] { registrations.map(\.manifest.id) }

    public subscript(name: String) -> ChannelRegistration? { registrations.first { $0.manifest.id == name } }
}
