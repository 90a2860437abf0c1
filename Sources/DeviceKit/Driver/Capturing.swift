/// Punches that a device sent by itself, in the device's order.
public struct CaptureBatch: Sendable, Hashable {
    public var records: [PunchRecord]
    public var rejected: [RejectedRecord]

    public init(records: [PunchRecord], rejected: [RejectedRecord] = []) {
        self.records = records
        self.rejected = rejected
    }
}

/// Takes captured punches to stable storage.
public protocol PunchReceiver: Sendable {
    /// The device accepts our subscription; punches from now on arrive here. Called once per capture.
    func subscribed() async

    /// Returns once the batch is durable; only then may the device be acknowledged. It suspends while the host is busy:
    /// back-pressure and acknowledgement are one call.
    /// - Throws: ``DeviceFault/cancelled`` when the host stops; the batch is then not durable and not acknowledged.
    func receive(_ batch: CaptureBatch) async throws(DeviceFault)
}

/// A session that receives punches as they happen.
public protocol CapturingSession: DeviceSession {
    /// Subscribes and delivers until the task is cancelled or the link fails. Leaves the device as it found it.
    func capture(into receiver: any PunchReceiver) async throws(DeviceFault)
}
