public import DeviceKit
internal import Synchronization

/// A log that keeps what was said.
public final class RecordingLog: DriverLog {
    public struct Entry: Sendable, Hashable {
        public let level: DriverLogLevel
        public let message: String
        public let metadata: [String: String]
    }

    private let recorded = Mutex<[Entry]>([])

    public init() {}

    public func log(_ level: DriverLogLevel, _ message: String, metadata: [String: String]) {
        recorded.withLock { $0.append(Entry(level: level, message: message, metadata: metadata)) }
    }

    public var entries: [Entry] { recorded.withLock { $0 } }

    /// Whether `text` stands in any message or metadata: for tests that a secret was never logged.
    public func contains(_ text: String) -> Bool {
        entries.contains { entry in
            entry.message.contains(text)
                || entry.metadata.contains { $0.key.contains(text) || $0.value.contains(text) }
        }
    }
}
