internal import AlertChannels
internal import Alerts
internal import MusterHost
internal import SimulatorDriver
internal import Sinks
internal import ZKTecoDriver

/// The one list that knows every driver, every sink and every channel for alerts.
enum BuiltIns {
    static let drivers = DriverRegistry([
        DriverRegistration(SimulatorDriver.self), DriverRegistration(ZKTecoDriver.self),
    ])

    static let sinks = SinkRegistry([
        SinkRegistration(FileSink.self), SinkRegistration(FrappeSink.self), SinkRegistration(MQTTSink.self),
        SinkRegistration(OdooSink.self),
        SinkRegistration(PostgresSink.self), SinkRegistration(StdoutSink.self), SinkRegistration(WebhookSink.self),
    ])

    static let channels = ChannelRegistry(
        [
            ChannelRegistration(CommandChannel.self), ChannelRegistration(EmailChannel.self),
            ChannelRegistration(LogChannel.self), ChannelRegistration(SMSChannel.self),
            ChannelRegistration(TelegramChannel.self), ChannelRegistration(WebhookChannel.self),
        ], ping: DeadmanPing.ping)
}
