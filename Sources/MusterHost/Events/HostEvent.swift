public import DeviceKit
public import Journal

/// What happens in a running host, for those who tell of it: alerts, metrics, live views.
///
/// Events tell of changes and of work that has ended, each once. The state itself is in ``DeviceStatus`` and
/// ``SinkStatus``.
public enum HostEvent: Sendable, Hashable {
    case device(DeviceID, DeviceEvent)
    /// By the sink's name in the configuration.
    case sink(String, SinkEvent)
    case journal(JournalEvent)
}

/// What happens to a device.
public enum DeviceEvent: Sendable, Hashable {
    /// The lifecycle moved on; the word of the state where it is now, for example `online`.
    case entered(state: String)
    /// A session is open.
    case connected
    /// The connection failed or could not be made, for the first time since it last worked.
    case wentAway(DeviceFault)
    /// The connection stands again.
    case cameBack(after: Duration)
    /// After an absence the log has been read to its end: so many punches were there that the journal did not have.
    case recovered(after: Duration, punches: Int)
    /// It refuses the credentials; told once until something else happens.
    case blocked(DeviceFault)
    /// It is given up until its settings change.
    case faulted(DeviceFault)
    /// So many failures in a row: the number at which an operator is to be told. Once until it works again.
    case failing(failures: Int, DeviceFault)
    /// No connection for too long: capture is given up, polls go on by the schedule.
    case suspended
    /// Capture is taken up again.
    case resumed
    /// Its clock was read: how far it is ahead of the host's.
    case clockRead(drift: Duration)
    /// The host set its clock, forwards or (negative) backwards.
    case clockSet(by: Duration, acrossPunches: Bool)
    /// All punches before this instant are in the journal.
    case complete(through: Instant)
    /// An operator accepted what is there now.
    case accepted
    case raised(DeviceCondition)
    /// The condition as it last was.
    case cleared(DeviceCondition)
    /// The log was read to its end.
    case polled(PollSummary, took: Duration)
    case pollFailed(DeviceFault, took: Duration)
    /// Punches became durable.
    case journaled(CommitReceipt, source: Punch.Source)
}

/// What happens to a sink.
public enum SinkEvent: Sendable, Hashable {
    /// Deliveries begin to fail; told once until they work again.
    case failing(SinkFault)
    case recovered(failures: Int)
    /// So many punches are safe at the target.
    case delivered(Int)
    /// The target refused them for good.
    case deadLettered([Delivery.Rejection])
}

/// What happens to the journal.
public enum JournalEvent: Sendable, Hashable {
    /// The disk is full: nothing is acknowledged until there is room.
    case diskFull(String)
    case hasRoom
    /// How full the journal is, of its quota.
    case quota(QuotaLevel)
    /// Punches were given up that a sink had not got.
    case forgotUndelivered(Int)
    /// It can no longer be trusted: the host stops.
    case failed(String)
}

/// How full the journal is, of what it may take.
public enum QuotaLevel: String, Sendable, Comparable {
    case normal
    /// 80 % and more: polls go slowly.
    case high
    /// 95 % and more: nothing is taken from devices.
    case full

    public static func < (left: QuotaLevel, right: QuotaLevel) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .normal: 0
        case .high: 1
        case .full: 2
        }
    }
}
