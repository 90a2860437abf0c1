public import DeviceKit
internal import GRDB

extension JournalReader {
    /// Which punches a query asks for. `nil` means all.
    public struct Filter: Sendable, Hashable {
        public var device: DeviceID?
        public var code: String?
        /// Inclusive.
        public var since: Instant?
        /// Exclusive.
        public var until: Instant?
        /// Only positions above this one.
        public var afterPosition: Int64?
        /// Only positions below this one.
        public var beforePosition: Int64?

        public init(
            device: DeviceID? = nil, code: String? = nil, since: Instant? = nil, until: Instant? = nil,
            afterPosition: Int64? = nil, beforePosition: Int64? = nil
        ) {
            self.device = device
            self.code = code
            self.since = since
            self.until = until
            self.afterPosition = afterPosition
            self.beforePosition = beforePosition
        }
    }

    public enum Order: Sendable, Hashable {
        /// By position: the order in which punches were journaled.
        case journal
        /// By position, backwards.
        case newestFirst
    }
}

/// A filter as SQL over `punches` and `devices`.
struct PunchQuery {
    let from: String
    let condition: String
    let arguments: StatementArguments

    /// For whoever walks the journal by position, whatever the filter is.
    static let byPosition = "punches NOT INDEXED CROSS JOIN devices ON devices.id = punches.device"

    init(_ filter: JournalReader.Filter) {
        var parts = ["1"]
        var arguments = StatementArguments()
        func add(_ part: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            parts.append(part)
            arguments += [value]
        }
        // The planner has no statistics. A time or a person is best found in the index, which begins with the device;
        // everything else is read by position, where a limit ends the search early.
        let usesIndex = filter.since != nil || filter.until != nil || filter.code != nil
        if usesIndex, filter.device == nil { parts.append("punches.device IN (SELECT id FROM devices)") }
        add("punches.device = (SELECT id FROM devices WHERE name = ?)", filter.device?.name)
        add("code = ?", filter.code)
        add("time >= ?", filter.since?.millisecondsSince1970)
        add("time < ?", filter.until?.millisecondsSince1970)
        add("position > ?", filter.afterPosition)
        add("position < ?", filter.beforePosition)
        from = """
            punches \(usesIndex ? "INDEXED BY punch_identity" : "NOT INDEXED")
            CROSS JOIN devices ON devices.id = punches.device
            """
        condition = parts.joined(separator: " AND ")
        self.arguments = arguments
    }
}
