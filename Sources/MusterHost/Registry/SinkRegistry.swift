public import DeviceKit

/// One type of sink as the host knows it.
public struct SinkRegistration: Sendable {
    public let manifest: SinkManifest
    private let readSchema: @Sendable () -> SettingsSchema
    private let checkSettings: @Sendable (SettingsValues) throws(ConfigurationError) -> Void
    private let makeSink: @Sendable (SettingsValues, SinkContext) throws(SinkFault) -> any PunchSink

    public init<Sink: PunchSink>(_ sink: Sink.Type) {
        manifest = Sink.manifest
        readSchema = { Sink.Settings.schema }
        checkSettings = { values throws(ConfigurationError) in _ = try Sink.Settings(values) }
        makeSink = { values, context throws(SinkFault) in
            let settings: Sink.Settings
            do throws(ConfigurationError) {
                settings = try Sink.Settings(values)
            } catch {
                throw SinkFault(.permanent, error.diagnostics.map(\.message).joined(separator: "; "))
            }
            return try Sink(settings: settings, context: context)
        }
    }

    /// Made when it is asked for: a start pays for the kinds that its configuration names.
    public var schema: SettingsSchema { readSchema() }

    /// The sink's own rules between keys.
    public func check(_ settings: SettingsValues) throws(ConfigurationError) { try checkSettings(settings) }

    /// Pure: nothing is opened.
    /// - Parameter settings: values that ``schema`` decoded.
    public func make(_ settings: SettingsValues, context: SinkContext) throws(SinkFault) -> any PunchSink {
        try makeSink(settings, context)
    }
}

/// The types of sinks that a configuration may name, filled explicitly at start.
public struct SinkRegistry: Sendable {
    /// In the order of their names.
    public let registrations: [SinkRegistration]

    /// - Precondition: no two types share a name.
    public init(_ registrations: [SinkRegistration]) {
        precondition(Set(registrations.map(\.manifest.id)).count == registrations.count, "two sinks share a name")
        self.registrations = registrations.sorted { $0.manifest.id < $1.manifest.id }
    }

    public var names: [String] { registrations.map(\.manifest.id) }

    public subscript(name: String) -> SinkRegistration? { registrations.first { $0.manifest.id == name } }
}
