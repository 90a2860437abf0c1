public import DeviceKit
public import Journal
internal import NIOCore
internal import NIOPosix

/// Asks the host that runs on a data directory.
public struct ControlClient: Sendable {
    private let directory: DataDirectory

    public init(_ directory: DataDirectory) { self.directory = directory }

    public enum Failure: Error, Sendable, Hashable {
        /// No host answers on this data directory.
        case noHost
        /// The host refuses, with its reason.
        case refused(String)
        /// The host went away before it answered: what was asked may have been done.
        case lost
    }

    /// Whether a host answers.
    public func isHostRunning() async -> Bool {
        (try? await ask(ControlRequest(verb: .ping))) != nil
    }

    /// What a host says of itself.
    public struct HostState: Sendable, Hashable {
        /// Of the configuration that holds now; 1 is what the host started with.
        public var generation: Int
        /// `nil` before the first reload that changed something or was refused.
        public var lastReload: ReloadReport?
    }

    /// The host that answers; `nil` without one.
    public func hostState() async -> HostState? {
        guard let answer = try? await ask(ControlRequest(verb: .ping)) else { return nil }
        return HostState(generation: answer.generation ?? 1, lastReload: answer.reload)
    }

    /// Lets the host read its configuration again. A refusal of the files is a report, not an error.
    public func reload() async throws(Failure) -> ReloadReport {
        let answer = try await ask(ControlRequest(verb: .reload))
        guard let report = answer.reload else { throw .refused(answer.error ?? "the host does not say how it went") }
        return report
    }

    /// Lets the host poll devices now.
    /// - Parameter devices: empty means all that are enabled.
    public func sync(_ devices: [DeviceID]) async throws(Failure) -> [SyncResult] {
        let answer = try await ask(ControlRequest(verb: .sync, devices: devices.map(\.name)))
        if let error = answer.error { throw .refused(error) }
        return answer.results.compactMap { SyncResult($0) }
    }

    /// Lets the host retry dead letters of a sink. As ``Outbox/retry(_:positions:)``.
    public func retry(_ sink: String, positions: [Int64]?) async throws(Failure) -> Int {
        try await count(ControlRequest(verb: .retry, sink: sink, positions: positions))
    }

    /// Lets the host discard dead letters of a sink. As ``Outbox/discard(_:positions:)``.
    public func discard(_ sink: String, positions: [Int64]?) async throws(Failure) -> Int {
        try await count(ControlRequest(verb: .discard, sink: sink, positions: positions))
    }

    /// Lets the host deliver punches again. As ``Outbox/replay(_:devices:since:until:)``.
    public func replay(
        _ sink: String, devices: [String], since: Instant?, until: Instant?
    ) async throws(Failure) -> Int {
        try await count(ControlRequest(verb: .replay, devices: devices, sink: sink, since: since, until: until))
    }

    /// Lets the host perform a command on the session that it has with the device.
    public func perform(
        _ command: DeviceCommand, on device: DeviceID,
        progress: @escaping @Sendable (EnrolmentEvent) async -> Void = { _ in }
    ) async throws(Failure) -> Result<DeviceAnswer, DeviceFault> {
        let request = ControlRequest(verb: .command, devices: [device.name], command: CommandMessage(command))
        let answer = try await ask(request, progress)
        if let error = answer.error { throw .refused(error) }
        if let message = answer.faultMessage {
            let code = answer.faultCode.flatMap { DeviceFault.Code(rawValue: $0) }
            return .failure(DeviceFault(code ?? .unexpectedReply, message))
        }
        guard let found = answer.command?.answer else { throw .refused("the running host is of another version") }
        return .success(found)
    }

    /// Lets the host do what an operator decides about a device.
    /// - Returns: whether there was anything to decide.
    public func decide(_ decision: DeviceDecision, of device: DeviceID) async throws(Failure) -> Bool {
        let verb: ControlRequest.Verb =
            switch decision {
            case .accept: .accept
            case .resume: .resume
            }
        return try await count(ControlRequest(verb: verb, devices: [device.name])) > 0
    }

    /// Lets the host carry out an order for its alerts.
    /// - Returns: the number of the incident or the silence.
    public func carryOut(_ order: AlertOrder) async throws(Failure) -> Int64 {
        Int64(try await count(ControlRequest(verb: .alert, alert: order)))
    }

    /// Sets what the host logs; without a level it only asks.
    /// - Returns: the level that holds now.
    public func logLevel(_ level: String?) async throws(Failure) -> String {
        let answer = try await ask(ControlRequest(verb: .logLevel, level: level))
        if let error = answer.error { throw .refused(error) }
        return answer.level ?? ""
    }

    private func count(_ request: ControlRequest) async throws(Failure) -> Int {
        let answer = try await ask(request)
        if let error = answer.error { throw .refused(error) }
        return answer.count ?? 0
    }

    private func ask(
        _ request: ControlRequest, _ progress: @escaping @Sendable (EnrolmentEvent) async -> Void = { _ in }
    ) async throws(Failure) -> ControlAnswer {
        let link: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            let address = try ControlAddress(directory)
            // The usual absence of a host is told without starting the threads that a connection needs.
            guard address.exists else { throw Failure.noHost }
            link = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(unixDomainSocketPath: address.path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw .noHost
        }
        let answer: ControlAnswer?
        do {
            answer = try await link.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(bytes: ControlCoding.line(request)))
                return try await Self.answer(from: inbound, progress)
            }
        } catch {
            throw .lost
        }
        guard let answer else { throw .lost }
        return answer
    }

    /// The first answer that is no report of progress; `nil` when none came.
    private static func answer(
        from inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ progress: @escaping @Sendable (EnrolmentEvent) async -> Void
    ) async throws -> ControlAnswer? {
        var lines = LineBuffer(limit: ControlAnswer.maximumByteCount)
        for try await bytes in inbound {
            guard lines.append(bytes.readableBytesView) else { break }
            while let line = lines.next() {
                guard let answer = ControlCoding.decode(line, as: ControlAnswer.self) else { return nil }
                guard let event = answer.progress else { return answer }
                await progress(event)
            }
        }
        return nil
    }
}

extension SyncResult {
    /// `nil` for an answer that names no device.
    init?(_ item: ControlAnswer.Item) {
        guard let device = DeviceID(item.device) else { return nil }
        self.device = device
        name = item.name
        synced = item.synced
        today = item.today
        duplicates = item.duplicates
        rejected = item.rejected
        skipped = item.skipped
        completeThrough = item.completeThrough
        if let message = item.faultMessage {
            fault = DeviceFault(item.faultCode.flatMap { DeviceFault.Code(rawValue: $0) } ?? .unreachable, message)
        }
    }

    var controlItem: ControlAnswer.Item {
        ControlAnswer.Item(
            device: device.name, name: name, synced: synced, today: today, duplicates: duplicates,
            rejected: rejected, skipped: skipped, completeThrough: completeThrough, faultCode: fault?.code.rawValue,
            faultMessage: fault?.message)
    }
}
