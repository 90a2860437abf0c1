public import DeviceKit
internal import MQTT
internal import Synchronization
internal import Web

/// Publishes punches to a broker with quality of service 1, in order, and keeps the state of the host and of each device
/// as retained messages.
///
/// Consumers have to look at the host's `status` and the device's `availability`: when the host is lost, the broker
/// publishes `offline` as the status, and what the devices' topics retain is old.
public actor MQTTSink: DeviceReportSink {
    public static let manifest = SinkManifest(
        id: "mqtt", summary: "Publishes punches and the state of devices to an MQTT broker.")

    private let settings: MQTTSettings
    private let context: SinkContext
    private let executor: QueueExecutor
    private var connection: MQTTConnection?

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public init(settings: MQTTSettings, context: SinkContext) throws(SinkFault) {
        self.settings = settings
        self.context = context
        executor = QueueExecutor(label: "muster.sink.\(context.name)")
    }

    public func open() async throws(SinkFault) {
        connection?.close()
        connection = nil
        do throws(MQTTError) {
            let connection = try MQTTConnection(options)
            self.connection = connection
            try await bounded(connection) { (connection) async throws(MQTTError) in
                try await connection.connect()
                try await connection.publish([self.status("online")])
            }
        } catch {
            throw fault(error)
        }
    }

    public func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        try await publish(
            batch.map { journaled in
                var body: [UInt8] = Array(
                    #"{"id":"\#(PunchKey.of(journaled.punch))","position":\#(journaled.position),"#.utf8)
                // The punch is a JSON object: its members follow.
                body.append(contentsOf: journaled.punch.json.text.utf8.dropFirst())
                return MQTTMessage(topic: settings.topics.punch, payload: body)
            })
        return .allAccepted
    }

    public func report(_ devices: [DeviceReport], isComplete: Bool) async throws(SinkFault) {
        var messages = devices.flatMap { self.messages(for: $0) }
        if isComplete {
            let names = devices.map(\.device.name)
            let known = try await context.memory.value(Self.devicesKey)?.split(separator: "\n").map { String($0) } ?? []
            for gone in Set(known).subtracting(names).sorted() {
                messages.append(MQTTMessage(topic: settings.topics.availability(gone), payload: [], isRetained: true))
                messages.append(MQTTMessage(topic: settings.topics.state(gone), payload: [], isRetained: true))
            }
            // Those that go are forgotten only after the broker has forgotten them.
            try await context.memory.set(Set(known).union(names).sorted().joined(separator: "\n"), for: Self.devicesKey)
            try await publish(messages)
            try await context.memory.set(names.joined(separator: "\n"), for: Self.devicesKey)
        } else {
            try await publish(messages)
        }
    }

    public func close() async {
        guard let connection else { return }
        self.connection = nil
        // The will is for a host that is lost; one that goes says so itself, also when its task is cancelled: after a
        // goodbye without these words the broker would go on showing it as online.
        let (farewell, time) = (status("offline"), context.time)
        let watchdog = Task {
            guard (try? await time.sleep(for: Self.farewellLimit)) != nil else { return }
            connection.giveUp("the broker is slow")
        }
        await Task { try? await connection.publish([farewell]) }.value
        watchdog.cancel()
        connection.close()
    }

    private static let devicesKey = "devices"
    private static let farewellLimit = Duration.seconds(2)

    private var options: MQTTOptions {
        var options = MQTTOptions(
            host: settings.host, port: settings.port, clientID: settings.clientID ?? "muster-\(context.name)")
        if let user = settings.user {
            options.credentials = MQTTOptions.Credentials(user: user, password: settings.password.reveal())
        }
        if settings.usesTLS {
            options.security = MQTTOptions.Security(
                authority: file(settings.files.authorityPath), certificate: file(settings.files.certificatePath),
                key: file(settings.files.keyPath))
        }
        options.will = status("offline")
        return options
    }

    private func file(_ path: String) -> String? {
        path.isEmpty ? nil : path.hasPrefix("/") ? path : context.baseDirectory + "/" + path
    }

    private nonisolated func status(_ word: String) -> MQTTMessage {
        MQTTMessage(topic: settings.topics.status, payload: Array(word.utf8), isRetained: true)
    }

    private func messages(for report: DeviceReport) -> [MQTTMessage] {
        let name = report.device.name
        let availability = !report.isEnabled ? "maintenance" : report.isConnected ? "online" : "offline"
        let state = JSONNode.object([
            "name": .string(report.name), "location": report.location.map { .string($0) },
            "state": .string(report.state), "condition": report.conditions.summary.map { .string($0) },
            "conditions": .array(report.conditions.all.map(\.json)),
            "serial_number": report.identity.serialNumber.map { .string($0) },
            "model": report.identity.model.map { .string($0) },
            "firmware": report.identity.firmware.map { .string($0) },
            "record_count": report.inventory?.recordCount.map { .integer($0) },
            "record_capacity": report.inventory?.recordCapacity.map { .integer($0) },
            "realtime_enabled": .bool(report.isRealtimeEnabled),
            "complete_through": report.completeThrough.map { .string($0.description) },
            "gap_from": report.gapFrom.map { .string($0.description) },
            "gap_until": report.gapUntil.map { .string($0.description) },
            "clock_drift_seconds": report.clockDrift.map { .integer(Int($0.components.seconds)) },
            "last_poll_at": report.lastPollAt.map { .string($0.description) },
        ])
        return [
            MQTTMessage(topic: settings.topics.availability(name), payload: Array(availability.utf8), isRetained: true),
            MQTTMessage(topic: settings.topics.state(name), payload: Array(state.text().utf8), isRetained: true),
        ]
    }

    private func publish(_ messages: [MQTTMessage]) async throws(SinkFault) {
        guard let connection else { throw SinkFault(.transient, "there is no connection to the broker") }
        do throws(MQTTError) {
            try await bounded(connection) { (connection) async throws(MQTTError) in
                try await connection.publish(messages)
            }
        } catch {
            throw fault(error)
        }
    }

    /// Gives the connection up when the broker does not answer in time.
    private func bounded(
        _ connection: MQTTConnection, _ body: (MQTTConnection) async throws(MQTTError) -> Void
    ) async throws(MQTTError) {
        let (time, timeout) = (context.time, settings.files.timeout)
        let watchdog = Task {
            guard (try? await time.sleep(for: timeout)) != nil else { return }
            connection.giveUp("the broker does not answer within \(timeout)")
        }
        defer { watchdog.cancel() }
        try await body(connection)
    }

    private func fault(_ error: MQTTError) -> SinkFault {
        let broker = "\(settings.host):\(settings.port)"
        switch error.kind {
        case .connection, .givenUp:
            if Task.isCancelled { return SinkFault(.cancelled, "interrupted") }
            return SinkFault(.transient, "the broker \(broker) cannot be reached: \(error.message)")
        case .refused:
            return SinkFault(
                .permanent, "the broker \(broker) refuses: \(error.message): look at username, password and client_id")
        case .options: return SinkFault(.permanent, "the connection to \(broker) cannot be set up: \(error.message)")
        }
    }
}
