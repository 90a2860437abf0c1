internal import DeviceKit
internal import ZKTecoWire

/// What the signs of trouble on the wire mean to an operator.
enum OpeningFaults {
    static let secure = DeviceFault(
        .secureCommunication,
        "secure communication is enabled on the terminal: switch it off (menu: Comm. → Connection or Security), or let the terminal push"
    )

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
