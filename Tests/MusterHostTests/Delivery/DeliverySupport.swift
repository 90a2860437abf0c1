import DeviceKit
import DeviceKitTesting
import Foundation
import Journal
import Synchronization
import Testing

/// A journal in a directory that is removed when the value goes away.
final class DeliveryBench: Sendable {
    let path: String
    let journal: PunchJournal
    let lobby: DeviceID
    let gate: DeviceID
    let time = ManualTime()
    let log = RecordingLog()

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-pump-\(UUID().uuidString)").path
        journal = try PunchJournal(DataDirectory(path: path))
        lobby = try #require(DeviceID("lobby"))
        gate = try #require(DeviceID("gate"))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Journals one punch for each second; they get the next positions.
    func commit(_ device: DeviceID, seconds: Range<Int64>, isValid: Bool = true) async throws {
        let punches = seconds.map { deliveryPunch(device, second: $0, isValid: isValid) }
        _ = try await journal.commit(
            JournalEntry(device: device, punches: punches, receivedAt: Instant(secondsSince1970: 1_750_000_500)))
    }
}

func deliveryPunch(_ device: DeviceID, second: Int64, isValid: Bool = true) -> Punch {
    let instant = Instant(secondsSince1970: 1_750_000_000 + second)
    let record = PunchRecord(
        code: "7", localTime: DeviceTimeZone.utc.localTime(at: instant), direction: Direction(.in, raw: 0),
        verification: Verification(.fingerprint, raw: 1))
    return Punch(device: device, time: instant, record: record, source: .poll, receivedAt: instant, isValid: isValid)
}

/// A sink that keeps what it got and fails on order.
final class RecordingSink: PunchSink {
    struct Settings: SinkSettings {
        static let schema = SettingsSchema()
        init(_ values: SettingsValues) throws(ConfigurationError) {}
    }

    static let manifest = SinkManifest(id: "recording", summary: "Keeps what it got.")

    private struct State {
        var got: [Int64] = []
        var batches: [Int] = []
        var fault: SinkFault?
        var refused: Set<Int64> = []
        var opens = 0
        var closes = 0
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    init(settings: Settings, context: SinkContext) throws(SinkFault) {}

    init(refusing refused: Set<Int64> = [], failing fault: SinkFault? = nil) {
        state.withLock { state in
            state.refused = refused
            state.fault = fault
        }
    }

    /// The positions that arrived, in the order of their arrival.
    var got: [Int64] { state.withLock { $0.got } }
    var batches: [Int] { state.withLock { $0.batches } }
    var opens: Int { state.withLock { $0.opens } }
    var closes: Int { state.withLock { $0.closes } }

    /// From now on every delivery fails, or with `nil` works.
    func fail(with fault: SinkFault?) { state.withLock { $0.fault = fault } }

    /// Returns once `count` punches have arrived in all. Give the test a time limit.
    func waitFor(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if state.got.count >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if ready { continuation.resume() }
        }
    }

    func open() async throws(SinkFault) { state.withLock { $0.opens += 1 } }

    func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        let outcome: Result<(Delivery, [CheckedContinuation<Void, Never>]), SinkFault> = state.withLock { state in
            if let fault = state.fault { return .failure(fault) }
            let rejected = batch.filter { state.refused.contains($0.position) }
            state.got += batch.map(\.position)
            state.batches.append(batch.count)
            let count = state.got.count
            let ready = state.watchers.filter { $0.count <= count }.map(\.continuation)
            state.watchers.removeAll { $0.count <= count }
            return .success(
                (Delivery(rejected: rejected.map { .init(position: $0.position, reason: "unknown person") }), ready))
        }
        let (delivery, ready) = try outcome.get()
        for watcher in ready { watcher.resume() }
        return delivery
    }

    func close() async { state.withLock { $0.closes += 1 } }
}
