public import Alerts
internal import DeviceKit
public import Logging
internal import ServiceLifecycle

/// The alerts as a part of the host that can be stopped. They go last but for the journal: a shutdown is no incident.
struct AlertService: Service {
    let runner: AlertRunner

    func run() async throws {
        let runner = runner
        try await withGracefulShutdownHandler {
            try await runner.run()
        } onGracefulShutdown: {
            runner.stop()
        }
    }
}

extension AlertConfiguration {
    /// Sends a test message through a channel, from this process.
    /// - Returns: what the target remarked, if anything.
    public static func test(
        _ channel: Channel, of configuration: HostConfiguration, log: Logger
    ) async throws(ChannelFault) -> String? {
        let time = SystemTime()
        let made = try channel.registration.make(
            channel.settings, context: AlertStorage.context(channel.plan.name, configuration, time, log))
        let message = AlertMessage.test(channel: channel.plan.name, host: "muster", at: time.now())
        let result: Result<ChannelReceipt, ChannelFault>
        do throws(ChannelFault) {
            result = .success(
                try await made.send(
                    AlertSend(channel: channel.plan.name, message: message)))
        } catch {
            result = .failure(error)
        }
        await made.close()
        return try result.get().remark
    }
}
