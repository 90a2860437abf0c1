internal import MusterHost
internal import SimulatorDriver
internal import Sinks
internal import ZKTecoDriver

/// The one list that knows every driver and every sink.
enum BuiltIns {
    static let drivers = DriverRegistry([
        DriverRegistration(SimulatorDriver.self), DriverRegistration(ZKTecoDriver.self),
    ])

    static let sinks = SinkRegistry([
        SinkRegistration(FileSink.self), SinkRegistration(FrappeSink.self), SinkRegistration(MQTTSink.self),
        SinkRegistration(OdooSink.self),
        SinkRegistration(PostgresSink.self), SinkRegistration(StdoutSink.self), SinkRegistration(WebhookSink.self),
    ])
}
