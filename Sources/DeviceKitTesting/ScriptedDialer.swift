public import DeviceKit
internal import Synchronization

/// Answers each `connect` with the next outcome; when none is left, the connection is refused.
public final class ScriptedDialer: Dialer {
    public enum Outcome: Sendable {
        case link(any Transport)
        case fault(DeviceFault)
    }

    private struct State {
        var outcomes: ArraySlice<Outcome>
        var endpoints: [Endpoint] = []
    }

    private let state: Mutex<State>
    private let trace: Trace

    public init(_ outcomes: [Outcome] = [], trace: Trace = Trace()) {
        state = Mutex(State(outcomes: outcomes[...]))
        self.trace = trace
    }

    public func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport {
        trace.note(.dialled(endpoint))
        let outcome = state.withLock { state in
            state.endpoints.append(endpoint)
            return state.outcomes.popFirst()
        }
        switch outcome {
        case .link(let transport): return transport
        case .fault(let fault): throw fault
        case nil: throw DeviceFault(.refused, "\(endpoint): the script of this dialer has ended")
        }
    }

    /// Where the driver wanted to go, in order.
    public var endpoints: [Endpoint] { state.withLock { $0.endpoints } }
}
