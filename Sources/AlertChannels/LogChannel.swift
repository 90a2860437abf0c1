public import Alerts
public import DeviceKit

/// Writes alerts into the host's own log, for people who grep and for log collectors.
public struct LogChannel: AlertChannel {
    public struct Settings: ChannelSettings, Hashable {
        public static let schema = SettingsSchema()
        public init(_ values: SettingsValues) throws(ConfigurationError) {}
    }

    public static let manifest = ChannelManifest(
        id: "log", summary: "Writes a line with ADMIN ALERT into the log of the host.")

    private let context: ChannelContext

    public init(settings: Settings, context: ChannelContext) throws(ChannelFault) {
        self.context = context
    }

    public func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt {
        let message = outgoing.message
        var facts = ["kind": message.kind.rawValue, "severity": message.severity.rawValue]
        if let incident = message.incident { facts["incident"] = String(incident) }
        // A recovery is as worth finding as its beginning.
        context.announce("ADMIN ALERT \(message.title)", facts)
        return ChannelReceipt()
    }

    public func close() async {}
}
