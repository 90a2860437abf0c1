public import DeviceKit
internal import Synchronization

/// One line of a conversation, seen from the device.
public enum ScriptStep: Sendable, Hashable {
    /// The driver's next bytes must be these, in one send or in many. Anything else breaks the link.
    case expect([UInt8])
    /// The device sends these bytes.
    case reply([UInt8])
    /// The device says nothing more and does not close: what a half-open link looks like.
    case stall
    /// The device closes: `receive` returns `nil` once everything before it was read.
    case close
    /// The link breaks with this fault once everything before it was read.
    case fail(DeviceFault)
}

/// How replies are cut into reads.
public enum ScriptChunking: Sendable, Hashable {
    /// One read for each reply.
    case asWritten
    /// At most this many bytes in a read, 1 or more.
    case atMost(Int)
    /// Everything that is there, in one read.
    case coalesced
}

/// A link whose other end follows a script. A script that has ended stalls.
public final class ScriptedTransport: Transport {
    private struct State {
        var steps: ArraySlice<ScriptStep>
        var unmatched: [UInt8] = []
        var inbox: [[UInt8]] = []
        /// What `receive` answers when the inbox is empty; `nil` means that it waits.
        var ending: Result<Bool, DeviceFault>?
        var isClosed = false
        var mismatch: String?
        var nextID: UInt64 = 0
        var waiting: (id: UInt64, continuation: CheckedContinuation<Void, Never>)?
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>
    private let chunking: ScriptChunking
    private let trace: Trace

    public init(_ steps: [ScriptStep], chunking: ScriptChunking = .asWritten, trace: Trace = Trace()) {
        var state = State(steps: steps[...])
        Self.play(&state)
        self.state = Mutex(state)
        self.chunking = chunking
        self.trace = trace
    }

    // MARK: What the driver calls

    public func send(_ bytes: [UInt8]) async throws(DeviceFault) {
        trace.note(.sent(bytes))
        let (fault, waiting) = state.withLock { state -> (DeviceFault?, CheckedContinuation<Void, Never>?) in
            if state.isClosed { return (Self.closedFault, nil) }
            state.unmatched.append(contentsOf: bytes)
            Self.play(&state)
            let waiting = Self.canAnswer(state) ? state.waiting.take()?.continuation : nil
            return (state.mismatch.map { DeviceFault(.connectionLost, $0) }, waiting)
        }
        waiting?.resume()
        if let fault { throw fault }
    }

    public func receive() async throws(DeviceFault) -> [UInt8]? {
        while true {
            if Task.isCancelled { throw .cancelled }
            switch state.withLock({ takeAnswer(&$0) }) {
            case .bytes(let bytes):
                trace.note(.received(bytes))
                return bytes
            case .end: return nil
            case .fault(let fault): throw fault
            case .notYet: await waitForAnswer()
            }
        }
    }

    public func close() async {
        let (wasOpen, waiting) = state.withLock { state in
            let wasOpen = !state.isClosed
            state.isClosed = true
            return (wasOpen, state.waiting.take()?.continuation)
        }
        if wasOpen { trace.note(.closed) }
        waiting?.resume()
    }

    // MARK: What the test reads

    /// Where the driver left the script, in words; `nil` while it followed.
    public var mismatch: String? { state.withLock { $0.mismatch } }
    /// Every `expect` and `reply` was played, and the driver sent nothing besides.
    public var isFinished: Bool {
        state.withLock { $0.steps.allSatisfy { $0 == .stall } && $0.unmatched.isEmpty && $0.mismatch == nil }
    }
    public var isClosed: Bool { state.withLock { $0.isClosed } }

    // MARK: Inside

    private enum Answer {
        case bytes([UInt8])
        case end
        case fault(DeviceFault)
        case notYet
    }

    private static let closedFault = DeviceFault(.connectionLost, "the link was closed by its owner")

    /// Goes on in the script as far as the driver's bytes allow.
    private static func play(_ state: inout State) {
        while state.ending == nil, let step = state.steps.first {
            switch step {
            case .expect(let bytes):
                guard matches(bytes, &state) else { return }
            case .reply(let bytes): if !bytes.isEmpty { state.inbox.append(bytes) }
            case .close: state.ending = .success(true)
            case .fail(let fault): state.ending = .failure(fault)
            case .stall: return
            }
            state.steps.removeFirst()
        }
    }

    /// True when the driver has sent `bytes`, which are then used up.
    private static func matches(_ bytes: [UInt8], _ state: inout State) -> Bool {
        let sent = state.unmatched
        if sent.starts(with: bytes) {
            state.unmatched.removeFirst(bytes.count)
            return true
        }
        guard !bytes.starts(with: sent) else { return false }
        let offset = zip(bytes, sent).prefix { $0 == $1 }.count
        let message = "the script expects \(hex(bytes)), the driver sent \(hex(sent)): they differ at byte \(offset)"
        state.mismatch = message
        state.ending = .failure(DeviceFault(.connectionLost, message))
        return false
    }

    private static func canAnswer(_ state: State) -> Bool {
        state.isClosed || !state.inbox.isEmpty || state.ending != nil
    }

    private func takeAnswer(_ state: inout State) -> Answer {
        if state.isClosed { return .fault(Self.closedFault) }
        guard let first = state.inbox.first else {
            switch state.ending {
            case .success: return .end
            case .failure(let fault): return .fault(fault)
            case nil: return .notYet
            }
        }
        switch chunking {
        case .asWritten:
            state.inbox.removeFirst()
            return .bytes(first)
        case .coalesced:
            defer { state.inbox.removeAll() }
            return .bytes(state.inbox.flatMap { $0 })
        case .atMost(let limit):
            let chunk = Array(first.prefix(max(limit, 1)))
            state.inbox[0].removeFirst(chunk.count)
            if state.inbox[0].isEmpty { state.inbox.removeFirst() }
            return .bytes(chunk)
        }
    }

    private func waitForAnswer() async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    if Self.canAnswer(state) || state.cancelled.remove(id) != nil { return true }
                    precondition(state.waiting == nil, "two tasks receive from one transport")
                    state.waiting = (id, continuation)
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard state.waiting?.id == id else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiting.take()?.continuation
            }
            waiting?.resume()
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = bytes.prefix(64).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        return "[" + digits.joined(separator: " ") + (bytes.count > 64 ? " …]" : "]")
    }
}
