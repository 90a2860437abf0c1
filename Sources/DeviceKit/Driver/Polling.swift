/// How far a device's log has been read. The driver's own, opaque to the host, stored with the punches it covers.
///
/// Small (at most ``maximumByteCount``), versioned by the driver, bound to the device's serial number, never a bare
/// timestamp.
public struct Cursor: Sendable, Hashable {
    public static let maximumByteCount = 4_096

    public let bytes: [UInt8]

    /// `nil` when `bytes` are more than ``maximumByteCount``.
    public init?(bytes: [UInt8]) {
        guard bytes.count <= Self.maximumByteCount else { return nil }
        self.bytes = bytes
    }
}

/// Asks a session for the next page of the device's log.
public struct PollRequest: Sendable, Hashable {
    /// Where the last page ended; `nil` reads from the oldest record.
    public var cursor: Cursor?
    /// The host's wish for the number of records in a page, 1 or more. A driver may return fewer, and more only where
    /// the device's own unit of reading is larger.
    public var limit: Int

    public init(cursor: Cursor?, limit: Int) {
        self.cursor = cursor
        self.limit = max(limit, 1)
    }
}

/// Some of the device's log, in the device's own order.
public struct PollPage: Sendable, Hashable {
    public var records: [PunchRecord]
    public var rejected: [RejectedRecord]
    /// The place after the last record of this page.
    public var cursor: Cursor?
    /// More pages follow now.
    public var hasMore: Bool
    /// The device's own counts, when the driver learned them on the way.
    public var inventory: LogInventory?
    /// Set when the log is not the one that the cursor belongs to. The driver then reads from the oldest record.
    public var reset: SourceReset?

    public init(
        records: [PunchRecord], rejected: [RejectedRecord] = [], cursor: Cursor?, hasMore: Bool = false,
        inventory: LogInventory? = nil, reset: SourceReset? = nil
    ) {
        self.records = records
        self.rejected = rejected
        self.cursor = cursor
        self.hasMore = hasMore
        self.inventory = inventory
        self.reset = reset
    }
}

/// Why a device's log begins a new epoch.
public struct SourceReset: Sendable, Hashable {
    /// What happened to the log.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        case deviceReplaced = "device-replaced"
        case logRewritten = "log-cleared-or-rewritten"
        /// The host had it cleared: expected, and nothing that an operator should look into.
        case logCleared = "log-cleared"
    }

    public var reason: Reason
    /// One sentence for an operator.
    public var message: String

    public init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }
}

/// A session that reads the device's own log.
public protocol PollingSession: DeviceSession {
    /// The next page after a cursor. The same cursor gives the same records or a superset; nothing changes on the
    /// device. The host may ask for the page after `page.cursor` before `page` is durable, and it may give up between
    /// pages.
    func poll(_ request: PollRequest) async throws(DeviceFault) -> PollPage
}
