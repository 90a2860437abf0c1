/// Code that knows one family of devices.
///
/// A driver has no sockets, timers, clocks or randomness of its own: they come in a ``DriverContext``. The host makes
/// one driver per configured device and opens one session at a time.
public protocol DeviceDriver: Sendable {
    /// What can be set under `settings:` of a device.
    associatedtype Settings: DriverSettings

    /// Who the driver is and what it can do.
    static var manifest: DriverManifest { get }

    /// Pure: no I/O, no tasks, no waiting.
    /// - Throws: ``DeviceFault/Code/badSettings`` for what the schema cannot say.
    init(settings: Settings, context: DriverContext) throws(DeviceFault)

    /// Connects, authenticates and identifies. May be called again after the session was closed.
    /// Honours cancellation; on a throw nothing stays open.
    func open() async throws(DeviceFault) -> any DeviceSession
}

/// Settings that decode themselves from values which their ``schema`` has already checked.
public protocol DriverSettings: Sendable {
    /// The one declaration of every key: decoder, messages, JSON Schema, sample and documentation come from it.
    static var schema: SettingsSchema { get }

    /// - Throws: ``ConfigurationError`` for rules between keys.
    init(_ values: SettingsValues) throws(ConfigurationError)
}

/// One open conversation with a device.
///
/// The intake and the abilities are the protocols that a session adopts besides: ``PollingSession``,
/// ``CapturingSession``, and those that ``Capability`` lists. While `capture` runs, the host may call one other method
/// at a time; it never runs two others together.
public protocol DeviceSession: Sendable {
    /// What the device said of itself when the session opened.
    var identity: DeviceIdentity { get }

    /// Ends the conversation and releases everything. Never throws, may come at any time and more than once, returns
    /// within 3 s. Work that is under way ends with ``DeviceFault/Code/connectionLost`` or ``DeviceFault/Code/cancelled``.
    func close() async
}
