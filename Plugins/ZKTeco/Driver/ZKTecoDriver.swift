public import DeviceKit
internal import ZKTecoWire

/// Terminals of ZKTeco, and of the makers that build on them, through their protocol on port 4370.
public struct ZKTecoDriver: DeviceDriver {
    public static let manifest = DriverManifest(
        id: "zkteco", version: "1.0.0",
        summary: "ZKTeco attendance and access terminals on port 4370, over TCP or UDP.",
        intakes: [.polling, .capturing],
        capabilities: [
            .clock, .logInventory, .people, .keepAlive, .details, .options, .counts, .peopleWriting, .templates,
            .enrolment, .door, .voice, .display, .power, .operationLog, .operationLogClearing, .logClearing,
        ],
        addressKey: "address", portKey: "port", transportKey: "transport")

    private let settings: ZKTecoSettings
    private let context: DriverContext
    private let memory = TransportMemory()

    public init(settings: ZKTecoSettings, context: DriverContext) throws(DeviceFault) {
        self.settings = settings
        self.context = context
    }

    public func open() async throws(DeviceFault) -> any DeviceSession {
        let (link, challenge) = try await reach()
        do throws(DeviceFault) {
            try await enter(link, challenge)
            link.markOpen()
            let identity = try await identify(link)
            return ZKTecoSession(
                link: link, identity: identity, settings: settings, memory: memory, context: context)
        } catch {
            await link.close()
            throw error
        }
    }

    /// A link whose terminal has answered to CONNECT, over the first transport that works.
    private func reach() async throws(DeviceFault) -> (ZKTecoLink, Packet) {
        var faults: [(kind: Endpoint.Kind, fault: DeviceFault)] = []
        for kind in memory.order(settings.transportChoice, now: context.time.uptime()) {
            do throws(DeviceFault) {
                let reached = try await reach(over: kind)
                memory.remember(kind, now: context.time.uptime())
                if let failed = faults.first {
                    context.log.info(
                        "reached over another transport",
                        [
                            "transport": kind.rawValue, "instead of": failed.kind.rawValue,
                            "because": failed.fault.message,
                        ])
                }
                return reached
            } catch {
                guard Self.speaksForTransport(error) else { throw error }
                faults.append((kind, error))
            }
        }
        throw OpeningFaults.neither(faults)
    }

    /// Whether another transport may do better: a terminal that refuses us does so over each.
    private static func speaksForTransport(_ fault: DeviceFault) -> Bool {
        switch fault.code {
        case .unreachable, .refused, .timedOut, .connectionLost, .busy, .malformed: true
        default: false
        }
    }

    private func reach(over kind: Endpoint.Kind) async throws(DeviceFault) -> (ZKTecoLink, Packet) {
        let transport = try await context.dialer.connect(to: settings.endpoint(kind), timeout: settings.replyTimeout)
        let link = ZKTecoLink(transport, over: kind, time: context.time, log: context.log)
        link.start()
        do throws(DeviceFault) {
            let answer = try await link.request(Command.connect, within: settings.replyTimeout)
            link.session = answer.session
            return (link, answer)
        } catch {
            await link.close()
            throw OpeningFaults.shutOut(error, over: kind)
        }
    }

    /// What the answer to CONNECT asks for: nothing, or AUTH.
    private func enter(_ link: ZKTecoLink, _ answer: Packet) async throws(DeviceFault) {
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
        // Of a CONNECT that arrived twice a terminal may make two sessions, and the key is mixed with one of them.
        if link.wasDisturbed {
            throw DeviceFault(
                .connectionLost, "the terminal refuses the comm key on a link that lost or doubled datagrams")
        }
        throw OpeningFaults.unauthorised(hasKey: true)
    }

    private func identify(_ link: ZKTecoLink) async throws(DeviceFault) -> DeviceIdentity {
        // A client that died in the middle of its work may have left the terminal disabled.
        _ = try await link.request(Command.enableDevice, within: settings.replyTimeout)
        return try await IdentityQuestions(link: link, timeout: settings.replyTimeout).ask()
    }
}
