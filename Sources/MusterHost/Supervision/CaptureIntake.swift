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
    private let isSubscribed: @Sendable () -> Void

    /// - Parameters:
    ///   - heard: the device sent something by itself.
    ///   - isSubscribed: from now on the device tells of punches.
    init(
        device: DeviceID, zone: DeviceTimeZone, time: any TimeSource, writer: JournalWriter,
        heard: @escaping @Sendable () -> Void, isSubscribed: @escaping @Sendable () -> Void
    ) {
        self.device = device
        self.time = time
        self.writer = writer
        self.heard = heard
        self.isSubscribed = isSubscribed
        intake = Mutex(Intake(device: device, zone: zone, source: .capture))
    }

    func subscribed() async {
        heard()
        isSubscribed()
    }

    func receive(_ batch: CaptureBatch) async throws(DeviceFault) {
        heard()
        let now = time.now()
        let punches = intake.withLock { intake in batch.records.map { intake.punch($0, receivedAt: now) } }
        let entry = JournalEntry(device: device, punches: punches, rejected: batch.rejected, receivedAt: now)
        _ = try await writer.commit(entry).get()
    }
}
