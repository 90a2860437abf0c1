public import DeviceKit
internal import ZKTecoWire

/// Terminals of ZKTeco, and of the makers that build on them, through their protocol on port 4370.
public struct ZKTecoDriver: DeviceDriver {
    public static let manifest = DriverManifest(
        id: "zkteco", version: "1.0.0", summary: "ZKTeco attendance and access terminals on port 4370 (TCP).",
        intakes: [.polling, .capturing], capabilities: [.clock, .logInventory, .people, .keepAlive],
        addressKey: "address", portKey: "port")

    private let settings: ZKTecoSettings
    private let context: DriverContext

    public init(settings: ZKTecoSettings, context: DriverContext) throws(DeviceFault) {
        self.settings = settings
        self.context = context
    }

    public func open() async throws(DeviceFault) -> any DeviceSession {
        let transport = try await context.dialer.connect(to: settings.endpoint, timeout: settings.replyTimeout)
        let link = ZKTecoLink(transport, time: context.time, log: context.log)
        link.start()
        do throws(DeviceFault) {
            try await connect(link)
            let identity = try await identify(link)
            return ZKTecoSession(link: link, identity: identity, settings: settings, context: context)
        } catch {
            await link.close()
            throw error
        }
    }

    /// CONNECT, and AUTH where the terminal wants it.
    private func connect(_ link: ZKTecoLink) async throws(DeviceFault) {
        let answer = try await link.request(Command.connect, within: settings.replyTimeout)
        link.session = answer.session
        switch answer.code {
        case Reply.ok: return
        case Reply.unauthorised: try await authenticate(link)
        case Reply.secureChallenge, Reply.locked: throw OpeningFaults.secure
        default: throw OpeningFaults.refused("CONNECT", answer)
        }
    }

    /// Ticks of 50 are what every client sends; some terminals are said to take only 0 (one public source).
    private func authenticate(_ link: ZKTecoLink) async throws(DeviceFault) {
        guard settings.commKey != 0 else { throw OpeningFaults.unauthorised(hasKey: false) }
        for ticks in [CommKey.usualTicks, 0] {
            let payload = CommKey.payload(key: settings.commKey, session: link.session, ticks: ticks)
            let answer = try await link.request(Command.authenticate, payload, within: settings.replyTimeout)
            switch answer.code {
            case Reply.ok: return
            case Reply.locked: throw OpeningFaults.secure
            default: continue
            }
        }
        throw OpeningFaults.unauthorised(hasKey: true)
    }

    private func identify(_ link: ZKTecoLink) async throws(DeviceFault) -> DeviceIdentity {
        // A client that died in the middle of its work may have left the terminal disabled.
        _ = try await link.request(Command.enableDevice, within: settings.replyTimeout)
        var identity = DeviceIdentity()
        identity.serialNumber = try await option("~SerialNumber", link)
        identity.registrationNumber = try await option("~Platform", link)
        identity.model = try await option("~DeviceName", link)
        identity.macAddress = try await option("MAC", link)
        let version = try await link.request(Command.firmwareVersion, within: settings.replyTimeout)
        if version.code == Reply.ok { identity.firmware = Self.line(OptionText.text(version.payload)) }
        return identity
    }

    /// `nil` for an option that the terminal does not know or leaves empty.
    private func option(_ name: String, _ link: ZKTecoLink) async throws(DeviceFault) -> String? {
        let answer = try await link.request(
            Command.optionRead, OptionText.request(name), within: settings.replyTimeout)
        guard answer.code == Reply.ok, let option = OptionText.split(answer.payload) else { return nil }
        return Self.line(option.value)
    }

    /// A text of the terminal without control characters, at most 200 characters; `nil` when nothing is left.
    private static func line(_ text: String) -> String? {
        let kept = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(200)
        let line = String(String.UnicodeScalarView(kept))
        return line.isEmpty ? nil : line
    }
}
