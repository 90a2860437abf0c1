internal import DeviceKit
internal import ZKTecoWire

/// Asks a terminal who it is: at the opening of a session, and again while one is open.
struct IdentityQuestions: Sendable {
    let link: ZKTecoLink
    let timeout: Duration

    func ask() async throws(DeviceFault) -> DeviceIdentity {
        var identity = DeviceIdentity()
        identity.serialNumber = try await option("~SerialNumber")
        identity.registrationNumber = try await option("~Platform")
        identity.model = try await option("~DeviceName")
        identity.macAddress = try await option("MAC")
        let version = try await link.request(Command.firmwareVersion, within: timeout)
        if version.code == Reply.ok { identity.firmware = OptionText.line(OptionText.text(version.payload)) }
        return identity
    }

    /// `nil` for an option that the terminal does not know or leaves empty.
    private func option(_ name: String) async throws(DeviceFault) -> String? {
        let answer = try await link.request(Command.optionRead, OptionText.request(name), within: timeout)
        guard answer.code == Reply.ok, let option = OptionText.split(answer.payload) else { return nil }
        return OptionText.line(option.value)
    }
}
