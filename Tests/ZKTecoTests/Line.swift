import DeviceKit
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// A way between the driver and a terminal. What does not depend on it is tested over each.
enum Line: String, Sendable, CaseIterable {
    case tcp = "TCP"
    case tcpJoined = "TCP, all that is ready in one read"
    case tcpInPieces = "TCP, in pieces of 7 bytes"
    case udp = "UDP"
    case udpNumbered = "UDP, with numbered frames"

    /// One of each transport.
    static let transports = [Line.tcp, .udp]

    var kind: Endpoint.Kind {
        switch self {
        case .tcp, .tcpJoined, .tcpInPieces: .tcp
        case .udp, .udpNumbered: .udp
        }
    }

    private var delivery: EmulatedTerminal.Delivery {
        switch self {
        case .tcp, .udp, .udpNumbered: .framed
        case .tcpJoined: .coalesced
        case .tcpInPieces: .pieces(7)
        }
    }

    var settings: [String: String] { ["transport": kind == .udp ? "udp" : "tcp"] }

    /// A terminal at the other end.
    func terminal(
        _ options: EmulatorOptions = EmulatorOptions(),
        tamper: @escaping @Sendable (Packet) -> Packet? = { $0 }
    ) throws -> EmulatedTerminal {
        var options = options
        if self == .udpNumbered { options.numbersData = true }
        return try EmulatedTerminal(options, delivery: delivery, tamper: tamper)
    }

    /// A session with it, while time passes as soon as everybody waits.
    func session<Value: Sendable>(
        _ terminal: EmulatedTerminal, _ body: @Sendable (ZKTecoSession) async throws -> Value
    ) async throws -> Value {
        let settings = settings
        let value = try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, settings)
            let value = try await body(session)
            await session.close()
            return value
        }
        #expect(terminal.endpoints.map(\.kind) == [kind])
        return value
    }
}

extension Line: CustomTestStringConvertible {
    var testDescription: String { rawValue }
}
