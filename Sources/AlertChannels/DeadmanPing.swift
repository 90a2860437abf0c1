public import Alerts
internal import DeviceKit
internal import Web

/// Tells a service elsewhere that this host lives: that service calls for help when it hears nothing.
public enum DeadmanPing {
    private static let timeout = Duration.seconds(20)

    /// - Throws: for anything but success.
    @Sendable
    public static func ping(_ url: String) async throws(ChannelFault) {
        do throws(SinkFault) {
            let client = try WebClient(WebSettings(timeout: timeout), baseDirectory: "/")
            let answer: Result<WebResponse, SinkFault>
            do throws(SinkFault) {
                answer = .success(try await client.perform(WebRequest(method: .get, url: url)))
            } catch {
                answer = .failure(error)
            }
            await client.close()
            let response = try answer.get()
            guard response.isSuccess else { throw WebFaults.fault(response, "the dead-man's switch") }
        } catch {
            throw ChannelFault(error)
        }
    }
}
