internal import DeviceKit
internal import Synchronization

/// What a driver has learned of how its terminal talks, from one session to the next.
final class TransportMemory: Sendable {
    private struct State {
        var worked: (kind: Endpoint.Kind, at: Duration)?
        var numbering = ChunkAssembly.Numbering.unknown
    }

    private let state = Mutex(State())

    /// A terminal that was reached over UDP is tried over TCP again after so long: it may only have been busy.
    static let lifetime = Duration.seconds(3_600)

    /// What to try, in this order.
    func order(_ choice: TransportChoice, now: Duration) -> [Endpoint.Kind] {
        switch choice {
        case .tcp: return [.tcp]
        case .udp: return [.udp]
        case .auto:
            let worked = state.withLock { $0.worked }
            let isUDP = worked.map { $0.kind == .udp && now - $0.at < Self.lifetime } ?? false
            return isUDP ? [.udp, .tcp] : [.tcp, .udp]
        }
    }

    func remember(_ kind: Endpoint.Kind, now: Duration) {
        state.withLock { state in
            // UDP counts from the first time, so that TCP has its turn again.
            if kind == .udp, let worked = state.worked, worked.kind == .udp, now - worked.at < Self.lifetime { return }
            state.worked = (kind, now)
        }
    }

    /// Whether the terminal numbers the frames of bulk data over UDP.
    var numbering: ChunkAssembly.Numbering {
        get { state.withLock { $0.numbering } }
        set { state.withLock { $0.numbering = newValue } }
    }
}
