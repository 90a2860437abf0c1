internal import CLibMosquitto
internal import Synchronization

/// One connection to a broker over MQTT 3.1.1, from ``connect()`` to ``close()``. It is not opened again: after an error
/// make a new one.
///
/// libmosquitto's own thread sends, receives and keeps the connection alive. Its callbacks only note what happened.
public final class MQTTConnection: Sendable {
    private typealias Waiter = CheckedContinuation<Result<Void, MQTTError>, Never>

    private struct State {
        enum Phase {
            case new, connecting, connected
            case failed(MQTTError)
            case closed
        }

        var phase = Phase.new
        /// Who waits for the connection, or for the acknowledgements.
        var waiter: Waiter?
        /// Sent and not acknowledged.
        var outstanding: Set<Int32> = []
        /// Acknowledged before the sender had noted the number.
        var early: Set<Int32> = []
        /// Everything was handed over: the last acknowledgement ends the wait.
        var isComplete = false

        mutating func takeWaiter() -> Waiter? {
            defer { waiter = nil }
            return waiter
        }
    }

    /// The library guards its own state: every function may be called from any thread.
    private struct Handle: @unchecked Sendable { let pointer: OpaquePointer }

    private let handle: Handle
    private let options: MQTTOptions
    private let state = Mutex(State())

    private static let isLibraryReady: Bool = mosquitto_lib_init() == MOSQ_ERR_SUCCESS.code

    public init(_ options: MQTTOptions) throws(MQTTError) {
        guard Self.isLibraryReady, let pointer = mosquitto_new(options.clientID, true, nil) else {
            throw MQTTError(.options, "the MQTT library does not start")
        }
        handle = Handle(pointer: pointer)
        self.options = options
        // From here on the value is whole: when this throws, `deinit` releases the handle.
        try configure()
    }

    deinit {
        // Whoever forgets to close still does not leave a thread that calls into freed memory.
        shutDown()
        mosquitto_destroy(handle.pointer)
    }

    /// Returns when the broker has accepted. Blocks while the host's name is looked up.
    public func connect() async throws(MQTTError) {
        state.withLock { $0.phase = .connecting }
        try Self.check(
            mosquitto_connect_async(
                handle.pointer, options.host, Int32(options.port), options.keepAliveSeconds), .connection)
        try Self.check(mosquitto_loop_start(handle.pointer), .options)
        try await wait { state in
            switch state.phase {
            case .connected: .success(())
            case .failed(let error): .failure(error)
            case .closed, .new: .failure(MQTTError(.connection, "the connection is closed"))
            case .connecting: nil
            }
        }
    }

    /// Returns when the broker has acknowledged all of them. They arrive in their order.
    public func publish(_ messages: [MQTTMessage]) async throws(MQTTError) {
        state.withLock { state in
            state.outstanding = []
            state.early = []
            state.isComplete = false
        }
        for message in messages {
            var number: Int32 = 0
            try Self.check(
                mosquitto_publish(
                    handle.pointer, &number, message.topic, Int32(clamping: message.payload.count), message.payload, 1,
                    message.isRetained), .connection)
            state.withLock { state in
                if state.early.remove(number) == nil { state.outstanding.insert(number) }
            }
        }
        try await wait { state in
            switch state.phase {
            case .failed(let error): return .failure(error)
            case .connected: break
            case .new, .connecting, .closed:
                return .failure(MQTTError(.connection, "there is no connection to the broker"))
            }
            state.isComplete = true
            return state.outstanding.isEmpty ? .success(()) : nil
        }
    }

    /// Ends what is waited for, and the connection is of no more use.
    public func giveUp(_ message: String) { fail(MQTTError(.givenUp, message)) }

    /// Says goodbye, so that the broker does not publish the will. May come more than once, not from a callback.
    public func close() {
        shutDown()
        fail(MQTTError(.connection, "the connection is closed"))
        state.withLock { $0.phase = .closed }
    }

    private func shutDown() {
        mosquitto_disconnect(handle.pointer)
        // Waits for the library's thread, which the line above has told to end.
        mosquitto_loop_stop(handle.pointer, false)
    }

    // MARK: Options

    private func configure() throws(MQTTError) {
        let pointer = handle.pointer
        mosquitto_user_data_set(pointer, Unmanaged.passUnretained(self).toOpaque())
        mosquitto_connect_callback_set(pointer) { _, context, code in MQTTConnection.of(context)?.connected(code) }
        mosquitto_disconnect_callback_set(pointer) { _, context, code in
            MQTTConnection.of(context)?.disconnected(code)
        }
        mosquitto_publish_callback_set(pointer) { _, context, number in
            MQTTConnection.of(context)?.acknowledged(number)
        }
        // One that fails is made anew by whoever uses it: the library's own attempts are put off.
        mosquitto_reconnect_delay_set(pointer, 3_600, 3_600, false)
        mosquitto_max_inflight_messages_set(pointer, 200)
        mosquitto_int_option(pointer, MOSQ_OPT_TCP_NODELAY, 1)
        if let credentials = options.credentials {
            try Self.check(mosquitto_username_pw_set(pointer, credentials.user, credentials.password), .options)
        }
        if let security = options.security { try secure(security) }
        if let will = options.will {
            try Self.check(
                mosquitto_will_set(
                    pointer, will.topic, Int32(clamping: will.payload.count), will.payload, 1, will.isRetained),
                .options)
        }
    }

    private func secure(_ security: MQTTOptions.Security) throws(MQTTError) {
        if security.authority == nil { mosquitto_int_option(handle.pointer, MOSQ_OPT_TLS_USE_OS_CERTS, 1) }
        // A directory satisfies the library where the system's authorities are meant.
        let directory = security.authority == nil ? "/etc/ssl/certs" : nil
        try Self.check(
            mosquitto_tls_set(
                handle.pointer, security.authority, directory, security.certificate, security.key, nil), .options)
    }

    // MARK: Callbacks, on the library's thread

    private static func of(_ context: UnsafeMutableRawPointer?) -> MQTTConnection? {
        context.map { Unmanaged<MQTTConnection>.fromOpaque($0).takeUnretainedValue() }
    }

    private func connected(_ code: Int32) {
        guard code == 0 else {
            return fail(MQTTError(.refused, String(cString: mosquitto_connack_string(code))))
        }
        let waiter = state.withLock { state in
            state.phase = .connected
            return state.takeWaiter()
        }
        waiter?.resume(returning: .success(()))
    }

    private func disconnected(_ code: Int32) {
        fail(MQTTError(.connection, Self.sentence(code)))
    }

    private func acknowledged(_ number: Int32) {
        let waiter = state.withLock { state in
            if state.outstanding.remove(number) == nil { state.early.insert(number) }
            return state.isComplete && state.outstanding.isEmpty ? state.takeWaiter() : nil
        }
        waiter?.resume(returning: .success(()))
    }

    // MARK: Waiting

    /// The first failure stays.
    private func fail(_ error: MQTTError) {
        let waiter = state.withLock { state in
            switch state.phase {
            case .failed, .closed: break
            case .new, .connecting, .connected: state.phase = .failed(error)
            }
            return state.takeWaiter()
        }
        waiter?.resume(returning: .failure(error))
    }

    /// - Parameter look: answers at once, or `nil` to be woken by a callback.
    private func wait(_ look: (inout State) -> Result<Void, MQTTError>?) async throws(MQTTError) {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in
                let answer: Result<Void, MQTTError>? = state.withLock { state in
                    if Task.isCancelled { return .failure(MQTTError(.givenUp, "interrupted")) }
                    let answer = look(&state)
                    if answer == nil { state.waiter = waiter }
                    return answer
                }
                if let answer { waiter.resume(returning: answer) }
            }
        } onCancel: {
            giveUp("interrupted")
        }
        try result.get()
    }

    private static func check(_ code: Int32, _ kind: MQTTError.Kind) throws(MQTTError) {
        guard code == MOSQ_ERR_SUCCESS.code else { throw MQTTError(kind, sentence(code)) }
    }

    private static func sentence(_ code: Int32) -> String {
        return String(cString: mosquitto_strerror(code))
    }
}

extension mosq_err_t {
    fileprivate var code: Int32 { Int32(rawValue) }
}
