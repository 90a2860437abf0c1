internal import DeviceKit
internal import Journal
internal import Synchronization

/// The end of a capture in the host: a batch is durable when ``receive(_:)`` returns.
final class CaptureIntake: PunchReceiver {
    private let device: DeviceID
    private let time: any TimeSource
    private let writer: JournalWriter
    private let intake: Mutex<Intake>
    private let heard: @Sendable () -> Void

    /// - Parameter heard: the device sent something by itself.
    init(
        device: DeviceID, zone: DeviceTimeZone, time: any TimeSource, writer: JournalWriter,
        heard: @escaping @Sendable () -> Void
    ) {
        self.device = device
        self.time = time
        self.writer = writer
        self.heard = heard
        intake = Mutex(Intake(device: device, zone: zone, source: .capture))
    }

    func subscribed() async { heard() }

    func receive(_ batch: CaptureBatch) async throws(DeviceFault) {
        heard()
        let now = time.now()
        let punches = intake.withLock { intake in batch.records.map { intake.punch($0, receivedAt: now) } }
        let entry = JournalEntry(device: device, punches: punches, rejected: batch.rejected, receivedAt: now)
        _ = try await writer.commit(entry).get()
    }
}
