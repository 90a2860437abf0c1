internal import DeviceKit
internal import ZKTecoWire

/// What the signs of trouble on the wire mean to an operator.
enum OpeningFaults {
    static let secure = DeviceFault(
        .secureCommunication,
        "secure communication is enabled on the terminal: switch it off (menu: Comm. → Connection or Security), or let the terminal push"
    )

    /// The log of such a terminal cannot be read, and one that looks empty must not be taken for a cleared one.
    static let accessControlMode = DeviceFault(
        .unexpectedReply,
        "the terminal is in access-control mode and gives no attendance log: set its device type to attendance (T&A) in the menu (System → Device Type)"
    )

    /// A terminal that knows nothing of a session that was open.
    static let sessionLost = DeviceFault(
        .connectionLost, "the terminal no longer knows this session: it was restarted, or another system took it over")

    static func silent(_ limit: Duration) -> DeviceFault {
        DeviceFault(
            .timedOut, "the terminal did not answer within \(limit): it may be busy, or talk to another system")
    }

    /// What a failure before the first answer means. Many terminals serve one client at a time; a second one is left
    /// without an answer, or its connection is closed.
    static func shutOut(_ fault: DeviceFault, over kind: Endpoint.Kind) -> DeviceFault {
        switch (fault.code, kind) {
        case (.connectionLost, .tcp):
            DeviceFault(
                .busy,
                "the terminal closes the connection at once: many serve one client at a time, so close other software that holds it, or wait until it lets go"
            )
        case (.connectionLost, .udp):
            DeviceFault(
                .refused, "nothing answers on the UDP port: check the port, and that the terminal's protocol is on")
        case (.timedOut, .tcp):
            DeviceFault(
                .timedOut,
                "the terminal takes the connection and says nothing: another system may hold it, as many serve one client at a time"
            )
        case (.timedOut, .udp):
            DeviceFault(
                .timedOut,
                "nothing answers over UDP: check address and port, and that no other system holds the terminal")
        default: fault
        }
    }

    /// Why neither transport worked. The first one decides what happens next.
    static func neither(_ faults: [(kind: Endpoint.Kind, fault: DeviceFault)]) -> DeviceFault {
        guard let first = faults.first, faults.count > 1 else {
            return faults.first?.fault ?? DeviceFault(.unreachable, "no transport was tried")
        }
        let reasons = faults.map { "over \($0.kind == .tcp ? "TCP" : "UDP"): \($0.fault.message)" }
        return DeviceFault(first.fault.code, reasons.joined(separator: "; "), evidence: first.fault.evidence)
    }

    static func fault(for error: FrameError) -> DeviceFault {
        switch error {
        case .secureCommunication: secure
        case .notThisProtocol(let found):
            DeviceFault(
                .malformed,
                "what answers on this port does not speak the ZKTeco protocol, or lost its place: check address and port",
                evidence: found)
        case .length(let length):
            DeviceFault(.oversize, "the terminal announced a frame of \(length) bytes")
        case .packet(let error):
            DeviceFault(.wrongChecksum, "a frame of the terminal is damaged: \(error)")
        }
    }

    /// - Parameter hasKey: a comm key is configured.
    static func unauthorised(hasKey: Bool) -> DeviceFault {
        hasKey
            ? DeviceFault(
                .unauthorised, "the terminal refuses the comm key: compare password with its menu (Comm. → Connection)")
            : DeviceFault(
                .unauthorised,
                "the terminal wants a comm key: set password to the number in its menu (Comm. → Connection)")
    }

    static func refused(_ what: String, _ answer: Packet) -> DeviceFault {
        if answer.code == Reply.unauthorised { return unauthorised(hasKey: true) }
        return DeviceFault(
            .unexpectedReply, "the terminal answered \(answer.code) to \(what)", evidence: answer.payload)
    }
}
